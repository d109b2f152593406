import { type Lane, systemCall } from '@splitstream/kernel'
import type { Progress, Range } from '../adapters/progress.ts'
import type { LaneDeps } from './consume-lane.ts'

/*
 * What the log has given up. The local log gives up only what its consumers have committed, so an offset that Postgres does not
 * know of is one of a Postgres that is newer than this one. Kafka deletes what is old, stored or not. The group's commit and the
 * rows of the table tell the two apart: storing is in order, so everything before either was stored. What is left is lost, which
 * goes on record before anything is confirmed beyond it.
 */

/** @returns `next`, or where the log begins now when that is later: then what is lost in between is on record. */
export async function loseTrimmed(lane: Lane, progress: Progress, next: number, deps: LaneDeps): Promise<number> {
  const { start } = await lane.bounds()
  if (start <= next) return next
  const { table, logger, clock, limits } = deps
  const end = await table.endFrom(lane.partition, next, systemCall(clock, limits.insertBudgetMs, lane.signal))
  const lost = { first: Math.max(next, end, await lane.committed()), last: start - 1 }
  const fields = { partition: lane.partition, recorded: next, logBegins: start }
  if (lost.first > lost.last) {
    logger.error('the record of what is stored ends before the log begins; was an older Postgres restored?', fields)
    return start
  }
  logger.error('events were deleted from the log before they were stored; they are lost', { ...fields, ...lost })
  await progress.lose(lost, 0)
  return start
}

/**
 * The part of a pending range that the log has given up. Its insert may have happened, wholly or, over the end of a month, for one
 * of the months: what the table has of it is confirmed. If the group did not commit it, the range is on record as lost, as nobody can
 * say any more whether that was all.
 */
export async function loseTrimmedPart(
  lane: Lane,
  progress: Progress,
  range: Range,
  start: number,
  deps: LaneDeps,
): Promise<void> {
  const trimmed = { first: range.first, last: Math.min(range.last, start - 1) }
  const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
  const { size } = await deps.table.storedOffsets(lane.partition, trimmed.first, trimmed.last, call)
  const fields = { partition: lane.partition, ...trimmed, stored: size }
  const committed = await lane.committed()
  if (range.last > trimmed.last) await progress.split(range, trimmed.last)
  if (committed > trimmed.last) {
    deps.logger.error('a range that was begun is no longer in the log; was an older Postgres restored?', fields)
    await progress.confirm(trimmed, size, [])
    return
  }
  deps.logger.error('events were deleted from the log while they were being stored; they are lost', fields)
  await progress.lose(trimmed, size)
}
