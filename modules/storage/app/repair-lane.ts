import { type Lane, systemCall } from '@splitstream/kernel'
import type { Progress } from '../adapters/progress.ts'
import type { LaneDeps } from './consume-lane.ts'
import { replayRange } from './replay-range.ts'

const chunkEvents = 50_000

/**
 * The start-up gate. ClickHouse puts a damaged part aside at start and says nothing: its rows are simply gone from every
 * answer. So the rows that the table has below `next` are counted against those confirmed in Postgres. When some are
 * missing, the loss goes on record first, and then everything that the log still holds is gone through again. What could
 * not be brought back stays on record, and the process is not ready until an operator acknowledges it.
 */
export async function repairLane(lane: Lane, progress: Progress, next: number, deps: LaneDeps): Promise<void> {
  const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
  const expected = progress.stored
  const actual = await deps.table.countBelow(lane.partition, next, call)
  const fields = { partition: lane.partition, expected, actual }
  if (actual === expected) return
  if (actual > expected) {
    deps.logger.error('the events table has more rows than were confirmed', fields)
    return
  }
  deps.logger.error('rows are missing from the events table; they are brought back from the log', fields)
  const loss = await progress.noteLoss(actual, expected - actual)
  // The engine may remember the tokens of an earlier repair as well.
  const token = `:repair-${loss}`
  const { start } = await lane.bounds()
  for (let first = start; first < next; first += chunkEvents) {
    const range = { first, last: Math.min(first + chunkEvents, next) - 1 }
    await progress.begin(range)
    await replayRange(lane, progress, range, deps, token)
  }
  const missing =
    expected -
    (await deps.table.countBelow(lane.partition, next, systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)))
  await progress.settleLoss(loss, Math.max(0, missing))
  deps.logger[missing > 0 ? 'error' : 'info']('the repair is done', { ...fields, stillMissing: missing })
}
