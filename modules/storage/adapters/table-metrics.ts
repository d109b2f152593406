import { type ClickHouse, type Clock, type Labels, type Metrics, type Postgres, systemCall } from '@splitstream/kernel'
import { openLosses } from './losses.ts'

/** Counted no further: beyond it, how many there are makes no difference. */
const most = 100_000
const budgetMs = 2_000

/** What only the tables know, asked for when somebody looks. */
export function watchTables(o: { clickhouse: ClickHouse; postgres: Postgres; clock: Clock; metrics: Metrics }): void {
  const parts = async (): Promise<number> => {
    const sql =
      "SELECT count() AS n FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'"
    const call = systemCall(o.clock, budgetMs, new AbortController().signal)
    const [row] = await o.clickhouse.rows<{ n: string }>({ sql }, call)
    return Number(row?.n)
  }
  o.metrics.gauge('splitstream.storage.parts', 'Active parts of the events table', parts, '{part}')
  const letters = async (): Promise<number> => {
    const sql = 'SELECT count(*) AS n FROM (SELECT FROM dead_letters WHERE replayed_at IS NULL LIMIT $1) AS open'
    const [row] = await o.postgres.query<{ n: string }>(sql, [most])
    return Number(row?.n)
  }
  const help = `Dead letters that were not replayed; ${most} stands for more`
  o.metrics.gauge('splitstream.storage.dead_letters', help, letters, '{event}')
  const losses = async (): Promise<readonly (readonly [Labels, number])[]> => {
    const { events, ranges } = await openLosses(o.postgres)
    return [
      [{ 'splitstream.loss': 'stored_events' }, events],
      [{ 'splitstream.loss': 'log_ranges' }, ranges],
    ]
  }
  o.metrics.gauge('splitstream.storage.losses', 'Losses that nobody has acknowledged', losses)
}
