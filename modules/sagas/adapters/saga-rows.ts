import type { Postgres } from '@splitstream/kernel'
import type { SagaStatus } from '../domain/state.ts'

/** What lists show. */
export interface SagaRow {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: SagaStatus
  readonly ended_at: Date | null
  readonly problem: string | null
}

/** With all that is known of it. */
export interface WholeSagaRow extends SagaRow {
  readonly tenant: string
  readonly journal: string
  /** Of the worker that runs it; null while nobody does. */
  readonly worker: string | null
  /** Until when that worker's lease holds. */
  readonly lease_until: Date | null
  /** When a worker has to look at it, while it has none. */
  readonly due_at: Date | null
  /** The database's clock. */
  readonly now: Date
}

/** What names a saga: an id alone is unique too, and found by no index. */
export interface SagaName {
  readonly tenant: string
  readonly id: string
}

/** How a saga stands, in the fewest words. */
export interface Standing {
  /** Transitions so far. */
  readonly seq: number
  /** It goes no further by itself. */
  readonly stopped: boolean
}

export interface SagaFilter {
  readonly name?: string | undefined
  readonly status?: SagaStatus | undefined
  /** Only those that something keeps from going on. */
  readonly problem?: boolean | undefined
  /** Started at or after, before; ms since the epoch. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Of these only; a few. */
  readonly ids?: readonly string[] | undefined
  /** Below this id. */
  readonly before?: string | undefined
  readonly limit: number
}

export interface SagaPage {
  readonly sagas: readonly SagaRow[]
  /** What `before` of the next page is; undefined on the last one. */
  readonly next: string | undefined
}

/** One request looks at so many sagas at most: a filter that few of them meet has pages that are not full. */
const maxScanned = 20_000

const summary = 'id, name, version, status, ended_at, problem'

/** Sagas, for those who look at them. */
export class SagaRows {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** By its id, or by the alias that participants know it by. */
  async find(tenant: string, id: string): Promise<WholeSagaRow | undefined> {
    const found = await this.get(tenant, id)
    if (found) return found
    const sql = 'SELECT id FROM sagas WHERE tenant = $1 AND alias = $2 ORDER BY id DESC LIMIT 1'
    const [named] = await this.#postgres.query<{ id: string }>(sql, [tenant, id])
    return named && (await this.get(tenant, named.id))
  }

  async get(tenant: string, id: string): Promise<(WholeSagaRow & Pick<Standing, 'seq'>) | undefined> {
    const sql = `SELECT s.id, s.tenant, s.name, s.version, s.status, s.seq, s.ended_at, s.problem, s.journal, s.due_at,
        w.name AS worker, w.expires_at AS lease_until, clock_timestamp() AS now
      FROM sagas s LEFT JOIN workers w ON w.id = s.owner WHERE s.tenant = $1 AND s.id = $2`
    return (await this.#postgres.query<WholeSagaRow & Standing>(sql, [tenant, id], 'sagas get'))[0]
  }

  /** How these sagas stand, by id: without their journals, so it may be asked again and again. */
  async standings(sagas: readonly SagaName[]): Promise<Map<string, Standing>> {
    const rows = await this.#postgres.query<Standing & { id: string }>(
      `SELECT s.id, s.seq, s.status NOT IN ('running', 'compensating') AS stopped
       FROM sagas s JOIN unnest($1::text[], $2::uuid[]) AS w (tenant, id) USING (tenant, id)`,
      [sagas.map(({ tenant }) => tenant), sagas.map(({ id }) => id)],
      'sagas standings',
    )
    return new Map(rows.map((row) => [row.id, row]))
  }

  /** Without the journals, by id. */
  async heads(tenant: string, ids: readonly string[]): Promise<Map<string, SagaRow>> {
    if (ids.length === 0) return new Map()
    const sql = `SELECT ${summary} FROM sagas WHERE tenant = $1 AND id = ANY($2::uuid[])`
    const rows = await this.#postgres.query<SagaRow>(sql, [tenant, ids])
    return new Map(rows.map((row) => [row.id, row]))
  }

  /** Newest first. Ids sort by the start, so a time is an id. */
  async list(tenant: string, filter: SagaFilter): Promise<SagaPage> {
    const { name, status, limit } = filter
    // What needs attention has a problem, and there is an index of those.
    const only = filter.problem === true || status === 'needs_attention' ? 'AND problem IS NOT NULL' : ''
    // A few are looked at without a limit.
    const isShort = (name === undefined && status === undefined) || filter.ids !== undefined
    const floor = isShort ? undefined : await this.#floor(tenant, filter, only)
    const sagas = await this.#postgres.query<SagaRow>(
      `SELECT ${summary} FROM sagas
       WHERE tenant = $1 AND id >= $2::uuid AND id < $3::uuid ${only}
         AND ($4::text IS NULL OR name = $4) AND ($5::text IS NULL OR status = $5)
         AND ($7::uuid[] IS NULL OR id = ANY($7))
       ORDER BY id DESC LIMIT $6`,
      [tenant, floor ?? lowest(filter), highest(filter), name ?? null, status ?? null, limit, filter.ids ?? null],
    )
    return { sagas, next: sagas.length === limit ? sagas.at(-1)!.id : floor }
  }

  /** The id down to which one request looks; undefined when that is all of them. */
  async #floor(tenant: string, filter: SagaFilter, only: string): Promise<string | undefined> {
    const rows = await this.#postgres.query<{ id: string }>(
      `SELECT id FROM sagas WHERE tenant = $1 AND id >= $2::uuid AND id < $3::uuid ${only}
       ORDER BY id DESC OFFSET ${maxScanned - 1} LIMIT 1`,
      [tenant, lowest(filter), highest(filter)],
    )
    return rows[0]?.id
  }
}

const lowest = ({ from = 0 }: SagaFilter): string => leastId(from)

function highest({ to, before }: SagaFilter): string {
  const end = to === undefined ? 'ffffffff-ffff-ffff-ffff-ffffffffffff' : leastId(to)
  return before !== undefined && before < end ? before : end
}

/** The least UUIDv7 of an instant, ms since the epoch: ids sort by time, so a range of ids is a range of time. */
export function leastId(at: number): string {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}
