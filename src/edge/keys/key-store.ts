import { type Clock, type Logger, messageOf, type Postgres, type Scope } from '@splitstream/kernel'
import { hashOf, looksRight, makeKey } from './secret.ts'

/** Who a key stands for. */
export interface Principal {
  readonly id: string
  readonly tenant: string
  readonly scopes: ReadonlySet<string>
  readonly operator: boolean
}

export interface KeyView {
  readonly id: string
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly revokedAt: string | null
}

interface Row {
  id: string
  name: string
  tenant: string
  scopes: Scope[]
  operator: boolean
  hash: Buffer
  previous_hash: Buffer | null
  previous_until: Date | null
  created_at: Date
  expires_at: Date | null
  revoked_at: Date | null
}

interface Live {
  readonly principal: Principal
  /** Wall clock, ms; Infinity when it does not expire. */
  readonly until: number
}

const refreshMs = 2_000
const allScopes: readonly Scope[] = ['ingest', 'query', 'sagas', 'admin']

/**
 * The API keys, all in memory: a request costs a hash and a look-up, and goes on while Postgres is down. Other processes
 * see a change within `refreshMs`.
 */
export class KeyStore {
  readonly #postgres: Postgres
  readonly #clock: Clock
  readonly #logger: Logger
  #live = new Map<string, Live>()
  #timer: NodeJS.Timeout | undefined

  constructor(postgres: Postgres, clock: Clock, logger: Logger) {
    this.#postgres = postgres
    this.#clock = clock
    this.#logger = logger
  }

  async start(): Promise<void> {
    await this.#refresh()
    this.#timer = setInterval(() => {
      this.#refresh().catch((error: unknown) =>
        this.#logger.warn('the API keys could not be refreshed', { error: messageOf(error) }),
      )
    }, refreshMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
  }

  /** Undefined alike for an unknown, mistyped, expired or revoked key. */
  authenticate(key: string): Principal | undefined {
    if (!looksRight(key)) return undefined
    const live = this.#live.get(hashOf(key))
    return live && live.until > this.#clock.now() ? live.principal : undefined
  }

  /**
   * The operator's key: `chosen`, or one made at the first start. Returns the key only when it was made just now: it is
   * stored nowhere and cannot be shown again.
   */
  async bootstrap(chosen: string | undefined): Promise<string | undefined> {
    const { key } = chosen === undefined ? makeKey() : { key: chosen }
    const onConflict = chosen === undefined ? 'DO NOTHING' : 'DO UPDATE SET hash = excluded.hash, revoked_at = NULL'
    const made = await this.#postgres.query(
      `INSERT INTO api_keys (id, name, tenant, scopes, operator, hash) VALUES ('operator', 'operator', 'default', $1, true, $2)
       ON CONFLICT (id) ${onConflict} RETURNING id`,
      [allScopes, Buffer.from(hashOf(key), 'hex')],
    )
    await this.#refresh()
    return chosen === undefined && made.length === 1 ? key : undefined
  }

  async create(input: { name: string; tenant: string; scopes: readonly Scope[]; expiresAt: string | null }) {
    const { id, key } = makeKey()
    const [row] = await this.#postgres.query<Row>(
      `INSERT INTO api_keys (id, name, tenant, scopes, hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *`,
      [id, input.name, input.tenant, input.scopes, Buffer.from(hashOf(key), 'hex'), input.expiresAt],
    )
    await this.#refresh()
    return { ...viewOf(row!), key }
  }

  /** Of one tenant, or of all when `tenant` is undefined. */
  async list(tenant: string | undefined): Promise<KeyView[]> {
    const sql = 'SELECT * FROM api_keys WHERE $1::text IS NULL OR tenant = $1 ORDER BY created_at DESC, id LIMIT 1000'
    return (await this.#postgres.query<Row>(sql, [tenant ?? null])).map(viewOf)
  }

  /** A new secret for the same key; the old one goes on for `graceSeconds`. Undefined when there is no such live key. */
  async rotate(id: string, tenant: string | undefined, graceSeconds: number) {
    const { key } = makeKey()
    const [row] = await this.#postgres.query<Row>(
      `UPDATE api_keys SET previous_hash = hash, previous_until = now() + make_interval(secs => $4), hash = $3
       WHERE id = $1 AND ($2::text IS NULL OR tenant = $2) AND revoked_at IS NULL RETURNING *`,
      [id, tenant ?? null, Buffer.from(hashOf(key), 'hex'), graceSeconds],
    )
    await this.#refresh()
    return row && { ...viewOf(row), key }
  }

  /** True when there was such a key. */
  async revoke(id: string, tenant: string | undefined): Promise<boolean> {
    const rows = await this.#postgres.query(
      `UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
       WHERE id = $1 AND ($2::text IS NULL OR tenant = $2) RETURNING id`,
      [id, tenant ?? null],
    )
    await this.#refresh()
    return rows.length === 1
  }

  async #refresh(): Promise<void> {
    const rows = await this.#postgres.query<Row>('SELECT * FROM api_keys WHERE revoked_at IS NULL')
    const live = new Map<string, Live>()
    for (const row of rows) {
      const { id, tenant, operator } = row
      const principal = { id, tenant, operator, scopes: new Set<string>(row.scopes) }
      const until = row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY
      live.set(row.hash.toString('hex'), { principal, until })
      if (row.previous_hash && row.previous_until) {
        const previous = { principal, until: Math.min(until, row.previous_until.getTime()) }
        live.set(row.previous_hash.toString('hex'), previous)
      }
    }
    this.#live = live
  }
}

function viewOf(row: Row): KeyView {
  return {
    id: row.id,
    name: row.name,
    tenant: row.tenant,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  }
}

/** A secret that all processes of the installation share; made by whoever comes first. */
export async function sharedSecret(postgres: Postgres, name: string, fresh: Uint8Array): Promise<Buffer> {
  await postgres.query('INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, fresh])
  const [row] = await postgres.query<{ value: Buffer }>('SELECT value FROM secrets WHERE name = $1', [name])
  return row!.value
}
