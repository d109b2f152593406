import {
  AppError,
  type Clock,
  codeOf,
  type Health,
  type Logger,
  messageOf,
  type Postgres,
  type Scope,
} from '@splitstream/kernel'
import type { Quota } from '../quota/quota.ts'
import { type KeyRow, type KeyView, secretsOf, viewOf } from './key-row.ts'
import { KeyTable } from './key-table.ts'
import { LastUsed } from './last-used.ts'
import type { Principal } from './principal.ts'
import { displayPrefix, hashOf, looksRight, makeId, makeSecret } from './secret.ts'

export type { KeyView } from './key-row.ts'
export type { Principal } from './principal.ts'
export { sharedSecret } from './shared-secret.ts'

/**
 * Between two looks, ms: every process sees a change within that and the time of a query. One that Postgres does not answer goes
 * on with the keys that it knows: ingest has to outlive Postgres. It is stopped by who runs it, and lets nobody in when it starts.
 */
const refreshMs = 2_000
const writeLastUsedMs = 30_000
/** Keys that were read so long ago may have been revoked since, ms. */
const staleMs = 4_500
/** All keys that work are in memory. */
const maxKeys = 10_000
/** Of those that a tenant makes for itself: one that makes them in a loop leaves room for others. */
const maxOfTenant = 1_000
/** What works, and so is in memory; one that was revoked or has expired takes no room. As the index api_keys_live has it. */
const live = `revoked_at IS NULL AND coalesce(expires_at, 'infinity') > now()`
/** What is still listed though it does not work any more. As the index api_keys_ended has it. */
const endedSince = `least(revoked_at, expires_at) > now() - interval '30 days'`
/** So many of a tenant at most: keys that are made and revoked in a loop fill no disk. */
const maxEnded = 1_000
const operatorId = 'operator'
const allScopes: readonly Scope[] = ['ingest', 'query', 'sagas', 'admin']

/** Which keys a caller manages: all of them (the operator), or those of one tenant, without the operator's. */
export type Managed = { readonly tenant: string } | 'all'

export interface NewKey {
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  /** RFC 3339 */
  readonly expiresAt: string | null
  readonly quota: Quota | null
}

/** With the secret, which is shown this once. */
export type FreshKey = KeyView & { readonly key: string }

/**
 * The API keys. They are kept in memory and read again every `refreshMs`: a request costs a hash and a look-up, and goes
 * on while Postgres is down. A change made here is seen here at once.
 */
export class KeyStore {
  readonly #postgres: Postgres
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #lastUsed = new LastUsed()
  #rows = new Map<string, KeyRow>()
  #table = new KeyTable([])
  /** Changed here since the last read began, which may not have seen it. */
  #meanwhile = new Map<string, KeyRow>()
  #refreshing: Promise<void> | undefined
  #wroteLastUsed = 0
  #readAt = 0
  #failing = false
  /** The operator's key is ADMIN_KEY: whatever replaced it here would be undone by the next start of any process. */
  #chosen = false
  #timer: NodeJS.Timeout | undefined

  constructor(postgres: Postgres, clock: Clock, logger: Logger) {
    this.#postgres = postgres
    this.#clock = clock
    this.#logger = logger
  }

  /** @throws AppError when the keys cannot be read: without them nobody could be let in */
  async start(): Promise<void> {
    await this.#read()
    this.#wroteLastUsed = this.#clock.monotonic()
    this.#timer ??= setInterval(() => void this.#tick(), refreshMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#refreshing
    await this.#lastUsed.write(this.#postgres).catch((error: unknown) => this.#complain(error))
  }

  /** Degraded while changes that were made elsewhere are not seen here. */
  health(): Health {
    const ms = this.#clock.monotonic() - this.#readAt
    if (this.#timer === undefined || ms < staleMs) return { state: 'ok' }
    return { state: 'degraded', reason: `the API keys are as they were ${Math.round(ms / 1_000)} s ago` }
  }

  /** Undefined alike for an unknown, mistyped, expired or revoked key. */
  authenticate(key: string): Principal | undefined {
    const now = this.#clock.now()
    const principal = this.#table.find(key, now)
    if (principal) this.#lastUsed.note(principal.id, now)
    return principal
  }

  /**
   * The operator's key: `chosen`, or one made at the first start. Returns the key only when it was made just now: it is
   * stored nowhere and cannot be shown again.
   */
  async bootstrap(chosen: string | undefined): Promise<string | undefined> {
    if (chosen !== undefined && !(looksRight(chosen) && /^[\x21-\x7e]+$/.test(chosen))) {
      throw new AppError(
        'CONFIG_INVALID',
        'ADMIN_KEY cannot be sent as a key: it needs 32 to 512 printable ASCII characters without spaces, and one that starts with ss_ has to be whole',
      )
    }
    this.#chosen = chosen !== undefined
    const key = chosen ?? makeSecret('op', operatorId)
    // A chosen key replaces whatever was there; that is also the way back in when the first one is lost.
    const conflict =
      chosen === undefined
        ? 'DO NOTHING'
        : `DO UPDATE SET hash = excluded.hash, prefix = excluded.prefix, previous_hash = NULL, previous_until = NULL, revoked_at = NULL
           WHERE api_keys.hash <> excluded.hash OR api_keys.previous_hash IS NOT NULL OR api_keys.revoked_at IS NOT NULL`
    const write = (): Promise<KeyRow[]> =>
      this.#postgres.query<KeyRow>(
        `INSERT INTO api_keys (id, name, tenant, scopes, operator, hash, prefix)
         VALUES ($1, 'operator', 'default', $2, true, $3, $4) ON CONFLICT (id) ${conflict} RETURNING *`,
        [operatorId, allScopes, hashOf(key), displayPrefix(key)],
      )
    // Another process that starts at the same time with the same key: ON CONFLICT covers the id, and not the unique hash.
    const [row] = await write().catch((error: unknown) => {
      if (codeOf(error) !== 'CONFLICT') throw error
      return write()
    })
    if (row) this.#changed(row)
    else await this.#read()
    if (row && this.#chosen) this.#logger.info('ADMIN_KEY is the operator’s key from now on')
    return chosen === undefined && row ? key : undefined
  }

  /**
   * Deletes those that ended long ago or are too many, too: they pile up by this alone.
   * @throws AppError UNPROCESSABLE when so many keys work already, of all or of a tenant that makes its own
   */
  async create(input: NewKey, managed: Managed): Promise<FreshKey> {
    const id = makeId()
    const key = makeSecret('key', id)
    const own = managed === 'all' ? maxKeys : maxOfTenant
    const [row] = await this.#postgres.query<KeyRow>(
      `WITH forgotten AS (
         DELETE FROM api_keys WHERE NOT operator AND (NOT (${endedSince}) OR id IN (
           SELECT id FROM api_keys WHERE tenant = $3 AND NOT operator AND least(revoked_at, expires_at) <= now()
           ORDER BY least(revoked_at, expires_at) DESC, id OFFSET $11))
       )
       INSERT INTO api_keys (id, name, tenant, scopes, hash, prefix, expires_at, quota) SELECT $1, $2, $3, $4, $5, $6, $7, $8
       FROM (SELECT count(*) AS n, count(*) FILTER (WHERE tenant = $3) AS own FROM api_keys WHERE ${live}) AS live
       WHERE live.n < $9 AND live.own < $10 RETURNING *`,
      [
        ...[id, input.name, input.tenant, input.scopes, hashOf(key), displayPrefix(key), input.expiresAt],
        ...[input.quota, maxKeys, own, maxEnded],
      ],
    )
    if (!row) throw new AppError('UNPROCESSABLE', managed === 'all' ? full : fullForTenant)
    this.#changed(row)
    return { ...viewOf(row), key }
  }

  /** Newest first; those that were revoked or have expired for 30 days, as many of them as there is room for. */
  async list(managed: Managed): Promise<KeyView[]> {
    const rows = await this.#postgres.query<KeyRow>(
      `SELECT * FROM (
         SELECT * FROM api_keys WHERE ($1::text IS NULL OR (tenant = $1 AND NOT operator)) AND (${live} OR ${endedSince})
         ORDER BY (${live}) DESC, created_at DESC, id LIMIT $2
       ) AS listed ORDER BY created_at DESC, id`,
      [tenantOf(managed), 2 * maxKeys],
    )
    return rows.map(viewOf)
  }

  /**
   * A new secret for the same key; the old one goes on for `graceSeconds`. Undefined when there is no such live key.
   * @throws AppError CONFLICT for the operator's while ADMIN_KEY says what that is
   */
  async rotate(id: string, managed: Managed, graceSeconds: number): Promise<FreshKey | undefined> {
    if (this.#chosen && isOperatorKey(id, managed))
      throw new AppError('CONFLICT', `The operator’s key is ADMIN_KEY: ${changeIt}`)
    const key = makeSecret(id === operatorId ? 'op' : 'key', id)
    const [row] = await this.#postgres.query<KeyRow>(
      `UPDATE api_keys SET previous_hash = hash, previous_until = now() + make_interval(secs => $4), hash = $3, prefix = $5
       WHERE id = $1 AND ($2::text IS NULL OR (tenant = $2 AND NOT operator))
       AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) RETURNING *`,
      [id, tenantOf(managed), hashOf(key), graceSeconds, displayPrefix(key)],
    )
    if (!row) return undefined
    this.#changed(row)
    return { ...viewOf(row), key }
  }

  /** Undefined when there is no such live key. null: that of the settings from now on. */
  async setQuota(id: string, managed: Managed, quota: Quota | null): Promise<KeyView | undefined> {
    const [row] = await this.#postgres.query<KeyRow>(
      `UPDATE api_keys SET quota = $3 WHERE id = $1 AND ($2::text IS NULL OR (tenant = $2 AND NOT operator))
       AND revoked_at IS NULL RETURNING *`,
      [id, tenantOf(managed), quota],
    )
    if (!row) return undefined
    this.#changed(row)
    return viewOf(row)
  }

  /** True when there was such a key. @throws AppError CONFLICT for the operator's, without which nobody could get in */
  async revoke(id: string, managed: Managed): Promise<boolean> {
    if (isOperatorKey(id, managed)) {
      const instead = this.#chosen ? changeIt : 'rotate it, with graceSeconds 0'
      throw new AppError('CONFLICT', `The operator’s key cannot be revoked: ${instead}`)
    }
    const [row] = await this.#postgres.query<KeyRow>(
      `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
       WHERE id = $1 AND NOT operator AND ($2::text IS NULL OR tenant = $2) RETURNING *`,
      [id, tenantOf(managed)],
    )
    if (row) this.#changed(row)
    return row !== undefined
  }

  /** A change that was made here holds here at once, whatever a read that began before it brings. */
  #changed(row: KeyRow): void {
    this.#meanwhile.set(row.id, row)
    const before = this.#rows.get(row.id)
    if (before) this.#table.remove(secretsOf(before))
    this.#table.add(secretsOf(row))
    this.#rows.set(row.id, row)
  }

  /** What is read is used however often keys are changed here meanwhile: else whoever changes some could keep a revoked one alive. */
  async #read(): Promise<void> {
    this.#meanwhile = new Map()
    const rows = await this.#postgres.query<KeyRow>(`SELECT * FROM api_keys WHERE ${live}`)
    this.#readAt = this.#clock.monotonic()
    this.#rows = new Map(rows.map((row) => [row.id, row]))
    for (const [id, row] of this.#meanwhile) this.#rows.set(id, row)
    this.#table = new KeyTable([...this.#rows.values()].flatMap(secretsOf))
  }

  /** One at a time: while Postgres is slow, ticks do not pile up. */
  #tick(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #refresh(): Promise<void> {
    try {
      await this.#read()
      const now = this.#clock.monotonic()
      if (now - this.#wroteLastUsed >= writeLastUsedMs) {
        this.#wroteLastUsed = now
        await this.#lastUsed.write(this.#postgres)
      }
      if (this.#failing) this.#logger.info('the API keys are fresh again')
      this.#failing = false
    } catch (error) {
      this.#complain(error)
    }
  }

  /** Once for each outage; meanwhile the keys that are known go on. */
  #complain(error: unknown): void {
    if (!this.#failing) this.#logger.warn('the API keys could not be refreshed', { error: messageOf(error) })
    this.#failing = true
  }
}

const changeIt = 'change ADMIN_KEY in all processes and restart them'
const full = `${maxKeys} keys work already: revoke some`
const fullForTenant = `${maxOfTenant} keys of this tenant work already, or ${maxKeys} of all: revoke some, or ask the operator`

/** What is not the caller's to manage is not found, and nothing is said of it. */
const isOperatorKey = (id: string, managed: Managed): boolean => id === operatorId && managed === 'all'

const tenantOf = (managed: Managed): string | null => (managed === 'all' ? null : managed.tenant)
