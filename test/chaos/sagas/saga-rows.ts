import type { Installation } from './installation.ts'
import type { Kind } from './orders.ts'

/** A saga as its row has it. */
export interface SagaRow {
  readonly id: string
  /** What participants know it by: its id, unless an event started it. */
  readonly known: string
  readonly name: Kind | 'parcel'
  readonly status: string
  readonly problem: string | null
  readonly owner: number | null
  readonly fence: string
  readonly due_at: Date | null
  readonly journal: string
}

/** Ids begin with the time, as a worker sees it: so far may that lie behind the database's, ms. */
const slackMs = 5_000

/** The sagas of one run: those that were not there before. */
export class SagaRows {
  readonly #installation: Installation
  /** Their ids are not less than this. */
  readonly #from: string
  readonly #before: readonly string[]

  private constructor(installation: Installation, from: string, before: readonly string[]) {
    this.#installation = installation
    this.#from = from
    this.#before = before
  }

  static async since(installation: Installation): Promise<SagaRows> {
    const [row] = await installation.rows<{ ms: string }>(
      'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms',
    )
    const hex = (Number(row!.ms) - slackMs).toString(16).padStart(12, '0')
    const from = `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
    const before = await installation.rows<{ id: string }>('SELECT id FROM sagas.sagas WHERE id >= $1', [from])
    return new SagaRows(
      installation,
      from,
      before.map(({ id }) => id),
    )
  }

  async all(): Promise<SagaRow[]> {
    return await this.#installation.rows<SagaRow>(
      `SELECT id, coalesce(alias, id) AS known, name, status, problem, owner, fence, due_at, journal FROM sagas.sagas
       WHERE id >= $1 AND id <> ALL($2::uuid[]) ORDER BY id`,
      [this.#from, this.#before],
    )
  }

  /** Those that somebody runs, or that are due soon, but for those that wait for a child that is left to people. */
  async open(): Promise<number> {
    const [row] = await this.#installation.rows<{ n: number }>(
      `SELECT count(*)::integer AS n FROM sagas.sagas s
       WHERE id >= $1 AND id <> ALL($2::uuid[]) AND status IN ('running', 'compensating')
         AND (owner IS NOT NULL OR due_at < clock_timestamp() + interval '1 hour')
         AND NOT EXISTS (SELECT FROM sagas.sagas c WHERE c.id >= $1 AND c.status = 'needs_attention'
           AND c.name = 'parcel' AND position('"parent":"' || s.id IN c.journal) > 0)`,
      [this.#from, this.#before],
    )
    return row!.n
  }
}

/** Rows in the tables that hold nothing when all sagas have ended, with what they belong to. */
export async function leftovers(installation: Installation): Promise<{ table: string; row: string }[]> {
  const tables = ['outbox', 'mail', 'locks', 'lock_waiters', 'waits']
  const rows = tables.map((table) => {
    const saga =
      table === 'outbox'
        ? 'NULL'
        : `(SELECT s.status || ', owner ' || coalesce(s.owner, 0) || ', due ' || coalesce(s.due_at::text, 'never') || ', mail ' || s.mail
          || ' ' || s.journal FROM sagas.sagas s WHERE s.id = t.saga_id)`
    return `SELECT '${table}' AS "table", row_to_json(t) || ' ' || coalesce(${saga}, '') AS row FROM sagas.${table} t`
  })
  return await installation.rows<{ table: string; row: string }>(rows.join(' UNION ALL '))
}
