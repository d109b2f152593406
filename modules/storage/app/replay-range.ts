import { AppError, type Lane, type LogRecord, type Span, systemCall, within } from '@splitstream/kernel'
import type { Progress, Range } from '../adapters/progress.ts'
import { cutBlock, tell } from '../domain/block.ts'
import type { Outcome } from './block-watch.ts'
import type { LaneDeps } from './consume-lane.ts'
import { dropDuplicates } from './drop-duplicates.ts'
import { loseTrimmedPart } from './lose-trimmed.ts'
import { eachInTurns } from './rows-in-turns.ts'
import { damagedLetter, storeRange } from './store-range.ts'

/**
 * A range that was begun before. Its insert may have happened: a block is one part and parts are atomic, but the range may
 * be a half of one that was split, and an insert whose client died may still be running. So: what the table has of the
 * range counts as stored; the rest goes the usual way. Under the usual token (`token` empty) the engine honours whichever
 * insert wins the race; a repair needs another token, because the engine remembers the one of the part that it lost.
 */
export async function replayRange(lane: Lane, progress: Progress, range: Range, deps: LaneDeps): Promise<void> {
  const { start } = await lane.bounds()
  if (range.first < start) await loseTrimmedPart(lane, progress, range, start, deps)
  if (range.last < start) return
  const rest = { first: Math.max(range.first, start), last: range.last }
  const records = await readRange(lane, rest)
  await deps.watch.block(lane.partition, records, true, (span) =>
    replayRecords(lane, progress, rest, records, deps, '', span),
  )
}

/** The same for records that were read already. Stores those rows that the table does not have, under a token of its own. */
export async function replayRecords(
  lane: Lane,
  progress: Pick<Progress, 'split' | 'confirm'>,
  range: Range,
  records: readonly LogRecord[],
  deps: LaneDeps,
  token: string,
  span?: Span,
): Promise<Outcome> {
  const call = within(systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal), span)
  const stored = await deps.table.storedOffsets(lane.partition, range.first, range.last, call)
  const block = cutBlock(lane.partition, range.first, range.last, records)
  // What the table has already never comes to dropDuplicates; a retry of it has to be known all the same.
  await eachInTurns(block.rows, (record, index, offset) => {
    if (stored.has(offset)) tell(deps.index, record, index, block.partition)
  })
  const missing = { ...block, rows: block.rows.without(stored) }
  const rows = await dropDuplicates(missing, await deps.verdicts.doubts(missing, deps.index), deps.table, call)
  const { table, refusals, onDeadLetter: deadLetter } = deps
  const target = { partition: lane.partition, table, progress, refusals, inRepair: token !== '', deadLetter }
  await storeRange(target, range, rows, block.damaged.map(damagedLetter), call, {
    alreadyStored: stored.size,
    token,
    nonce: deps.clock.now(),
  })
  deps.logger.info('replayed a range of the log', {
    partition: lane.partition,
    ...range,
    alreadyStored: stored.size,
    inserted: rows.length,
  })
  return { stored: rows.length, dropped: missing.rows.length - rows.length }
}

/** For records that are there: how long a log on other machines may take to bring them, ms. */
export const readMs = 10_000

/**
 * All records of a range that is still in the log. Between two records may be a gap: it is no loss as long as the log still
 * begins before it. @throws when a part of it is gone: then nothing may be confirmed.
 */
async function readRange(lane: Lane, range: Range): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (let next = range.first; next <= range.last; ) {
    const read = await lane.read(next, { maxEvents: range.last - next + 1, maxBytes: 64 << 20, waitMs: readMs })
    const last = read.at(-1)
    if (!last)
      throw new AppError('UNAVAILABLE', `log partition ${lane.partition} does not give the offsets from ${next}`)
    records.push(...read)
    next = last.baseOffset + last.count
  }
  if ((await lane.bounds()).start > range.first) {
    throw new AppError('CONFLICT', `log partition ${lane.partition} gave up the offsets from ${range.first} meanwhile`)
  }
  return records
}
