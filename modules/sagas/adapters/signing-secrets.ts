import { AppError, type Clock, type Logger, messageOf, type Postgres } from '@splitstream/kernel'

export interface SigningSecretsDeps {
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: Logger
  /** Of a tenant that has never changed it. The same array each time. */
  readonly first: (tenant: string) => Uint8Array
  /** 32 bytes that nobody can guess. */
  readonly fresh: () => Uint8Array
}

/** What a tenant's requests are signed with; with the one before, too, until it ends. */
export interface SigningSecret {
  readonly secret: Uint8Array
  readonly previous?: { readonly secret: Uint8Array; readonly until: Date }
}

interface Row {
  readonly tenant: string
  readonly secret: Buffer
  readonly previous: Buffer
  readonly previous_until: Date
}

/** How soon other processes know of a change, ms. Until then they sign with the secret before, which goes on for longer. */
const everyMs = 5_000

/**
 * The secrets that requests to participants are signed with. One that was changed goes on beside the new one for a while, in which
 * requests have two signatures: so participants learn the new one before the old one ends. In memory, as each request needs them.
 */
export class SigningSecrets {
  readonly #deps: SigningSecretsDeps
  readonly #stop = new AbortController()
  #changed = new Map<string, { readonly both: readonly Uint8Array[]; readonly until: number }>()
  #running: Promise<void> | undefined

  constructor(deps: SigningSecretsDeps) {
    this.#deps = deps
  }

  /** Returns once all that was changed is known. @throws AppError UNAVAILABLE */
  async start(): Promise<void> {
    await this.#read()
    this.#running = this.#repeat()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** What a request of the tenant is signed with now, the newest first. */
  of(tenant: string): readonly Uint8Array[] {
    const changed = this.#changed.get(tenant)
    if (!changed) return [this.#deps.first(tenant)]
    return this.#deps.clock.now() < changed.until ? changed.both : changed.both.slice(0, 1)
  }

  /** As it is for all processes. @throws AppError UNAVAILABLE */
  async show(tenant: string): Promise<SigningSecret> {
    const [row] = await this.#deps.postgres.query<Row & { holds: boolean }>(
      'SELECT *, previous_until > clock_timestamp() AS holds FROM signing_secrets WHERE tenant = $1',
      [tenant],
    )
    return row ? viewOf(row, row.holds) : { secret: this.#deps.first(tenant) }
  }

  /**
   * Gives the tenant another secret; the one before goes on for `graceMs`. When this resolves it is durable, and known to this process;
   * others know it within five seconds.
   * @throws AppError CONFLICT while the one before still goes on, unless `graceMs` is 0, which ends them both; UNAVAILABLE
   */
  async change(tenant: string, graceMs: number): Promise<SigningSecret> {
    const { postgres, first, fresh } = this.#deps
    const [row] = await postgres.query<Row>(
      `INSERT INTO signing_secrets AS s (tenant, secret, previous, previous_until)
       VALUES ($1, $2, $3, clock_timestamp() + $4::float8 * interval '1 ms')
       ON CONFLICT (tenant) DO UPDATE SET secret = excluded.secret, previous = s.secret, previous_until = excluded.previous_until
         WHERE $4::float8 = 0 OR s.previous_until <= clock_timestamp()
       RETURNING *`,
      [tenant, Buffer.from(fresh()), Buffer.from(first(tenant)), graceMs],
    )
    if (!row) {
      throw new AppError(
        'CONFLICT',
        'The secret was changed a short while ago, and the one before it still goes on: see GET. Change it again when that has ended, or with graceSeconds 0, which ends both at once',
      )
    }
    await this.#read()
    return viewOf(row, graceMs > 0)
  }

  async #read(): Promise<void> {
    const rows = await this.#deps.postgres.query<Row>('SELECT * FROM signing_secrets', [], 'sagas signing secrets')
    this.#changed = new Map(
      rows.map(({ tenant, secret, previous, previous_until }) => {
        const known = this.#changed.get(tenant)
        // The same arrays as before: a key is made of each once (participants/signature.ts).
        const both = known?.both[0] && secret.equals(known.both[0]) ? known.both : [secret, previous]
        return [tenant, { both, until: previous_until.getTime() }]
      }),
    )
  }

  async #repeat(): Promise<void> {
    const { clock, logger } = this.#deps
    const { signal } = this.#stop
    for (;;) {
      await clock.sleep(everyMs, signal).catch(() => undefined)
      if (signal.aborted) return
      await this.#read().catch((error: unknown) => {
        logger.warn('the secrets of signatures cannot be read; trying again', { error: messageOf(error) })
      })
    }
  }
}

const viewOf = ({ secret, previous, previous_until: until }: Row, holds: boolean): SigningSecret => ({
  secret,
  ...(holds && { previous: { secret: previous, until } }),
})
