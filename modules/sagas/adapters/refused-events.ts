import type { Postgres } from '@splitstream/kernel'

/** An event that a saga emitted and ingest refused for good. */
export interface RefusedEvent {
  readonly id: string
  /** Of the error catalogue. */
  readonly code: string
  readonly detail: string
  readonly refusedAt: Date
  /** CloudEvents JSON, as it was refused. */
  readonly event: string
  /** What was done about it; null for nothing yet. */
  readonly settled: Settled | null
  readonly settledAt: Date | null
  /** The API key that did it. */
  readonly settledBy: string | null
  readonly note: string | null
}

export type Settled = 'sent' | 'discarded'

const columns = `id, code, detail, refused_at AS "refusedAt", event, settled, settled_at AS "settledAt",
  settled_by AS "settledBy", note`

/** Refused events, for those who look at them. */
export class RefusedEvents {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** Newest first, below `before`; without `settled` those that nobody has done anything about. */
  async list(
    tenant: string,
    o: { readonly settled: boolean; readonly before: string | undefined; readonly limit: number },
  ): Promise<RefusedEvent[]> {
    return await this.#postgres.query<RefusedEvent>(
      `SELECT ${columns} FROM outbox_refused
       WHERE tenant = $1 AND ($2::boolean OR settled IS NULL) AND ($3::bigint IS NULL OR id < $3)
       ORDER BY id DESC LIMIT $4`,
      [tenant, o.settled, o.before ?? null, o.limit],
    )
  }

  async get(tenant: string, id: string): Promise<RefusedEvent | undefined> {
    const sql = `SELECT ${columns} FROM outbox_refused WHERE tenant = $1 AND id = $2`
    return (await this.#postgres.query<RefusedEvent>(sql, [tenant, id]))[0]
  }

  /** @returns undefined when somebody was faster */
  async settle(
    tenant: string,
    id: string,
    o: { readonly as: Settled; readonly by: string; readonly note: string | undefined },
  ): Promise<RefusedEvent | undefined> {
    const [settled] = await this.#postgres.query<RefusedEvent>(
      `UPDATE outbox_refused SET settled = $3, settled_at = clock_timestamp(), settled_by = $4, note = $5
       WHERE tenant = $1 AND id = $2 AND settled IS NULL RETURNING ${columns}`,
      [tenant, id, o.as, o.by, o.note ?? null],
    )
    return settled
  }
}
