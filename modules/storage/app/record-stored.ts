import { AppError, type Lane, systemCall } from '@splitstream/kernel'
import type { Progress } from '../adapters/progress.ts'
import type { LaneDeps } from './consume-lane.ts'
import { readMs, replayRecords } from './replay-range.ts'

/**
 * Rows of the table beyond `next`, which no record knows of: ClickHouse is of a later instant than Postgres, as in every
 * backup. Their records are gone through as ranges that were begun before, so that each row is there once and is counted. Cut
 * off, the range is pending and the rest is found again at the next start.
 * @returns the offset below which everything is recorded now
 * @throws AppError CONFLICT when the log ends before the table's rows: it would give their places to other events
 */
export async function recordStored(lane: Lane, progress: Progress, next: number, deps: LaneDeps): Promise<number> {
  const { table, clock, logger, limits } = deps
  const { maxEvents, maxBytes, insertBudgetMs } = limits
  const end = await table.endFrom(lane.partition, next, systemCall(clock, insertBudgetMs, lane.signal))
  if (end === next) return next
  logger.warn('the table has rows that are not on record; they are recorded', {
    partition: lane.partition,
    recorded: next,
    end,
  })
  while (next < end && !lane.signal.aborted) {
    const records = await lane.read(next, { maxEvents, maxBytes, waitMs: readMs })
    const tail = records.at(-1)
    if (!tail) return await notInLog(lane, end)
    const range = { first: next, last: tail.baseOffset + tail.count - 1 }
    await progress.begin(range)
    await replayRecords(lane, progress, range, records, deps, '')
    next = range.last + 1
  }
  return next
}

/** What the log has no more is counted with the rest (repair-lane.ts). */
async function notInLog(lane: Lane, end: number): Promise<number> {
  const { end: logEnd } = await lane.bounds()
  if (logEnd >= end) return end
  throw new AppError(
    'CONFLICT',
    `partition ${lane.partition} of the event log ends at ${logEnd}, and the table has its events up to ${end}: ` +
      'this is not the log that was; put the right one back, or restore a whole backup',
  )
}
