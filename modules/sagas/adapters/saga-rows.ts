import type { Postgres } from '@splitstream/kernel'
import type { SagaStatus } from '../domain/state.ts'

export interface SagaRow {
  readonly id: string
  readonly tenant: string
  readonly name: string
  readonly version: number
  readonly status: SagaStatus
  /** Of the worker that runs it; null while nobody does. */
  readonly worker: string | null
  readonly due_at: Date | null
  readonly ended_at: Date | null
  readonly problem: string | null
  readonly journal: string
}

export interface SagaFilter {
  readonly name?: string | undefined
  readonly status?: SagaStatus | undefined
  /** Only those that something keeps from going on. */
  readonly problem?: boolean | undefined
  /** Started at or after, before; ms since the epoch. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Below this id. */
  readonly before?: string | undefined
  readonly limit: number
}

const columns =
  's.id, s.tenant, s.name, s.version, s.status, w.name AS worker, s.due_at, s.ended_at, s.problem, s.journal'
const table = 'sagas s LEFT JOIN workers w ON w.id = s.owner'

/** Sagas, for those who look at them. */
export class SagaRows {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  async get(tenant: string, id: string): Promise<SagaRow | undefined> {
    const sql = `SELECT ${columns} FROM ${table} WHERE s.id = $1 AND s.tenant = $2`
    return (await this.#postgres.query<SagaRow>(sql, [id, tenant], 'sagas get'))[0]
  }

  /** Newest first. Ids sort by the start, so a time is an id. */
  async list(tenant: string, filter: SagaFilter): Promise<SagaRow[]> {
    return await this.#postgres.query<SagaRow>(
      `SELECT ${columns} FROM ${table}
       WHERE s.tenant = $1 AND ($2::text IS NULL OR s.name = $2) AND ($3::text IS NULL OR s.status = $3)
         AND ($4::boolean IS NOT TRUE OR s.problem IS NOT NULL)
         AND ($5::uuid IS NULL OR s.id >= $5) AND ($6::uuid IS NULL OR s.id < $6) AND ($7::uuid IS NULL OR s.id < $7)
       ORDER BY s.id DESC LIMIT $8`,
      [
        tenant,
        filter.name ?? null,
        filter.status ?? null,
        filter.problem ?? null,
        filter.from === undefined ? null : leastId(filter.from),
        filter.to === undefined ? null : leastId(filter.to),
        filter.before ?? null,
        filter.limit,
      ],
    )
  }
}

/** The least UUIDv7 of an instant, ms since the epoch: ids sort by time, so a range of ids is a range of time. */
export function leastId(at: number): string {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}
