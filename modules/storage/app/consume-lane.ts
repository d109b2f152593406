import {
  type Clock,
  type Lane,
  type Logger,
  type LogRecord,
  messageOf,
  type Postgres,
  systemCall,
} from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { claimProgress, type DeadLetter, type Progress, type Range } from '../adapters/progress.ts'
import { cutBlock } from '../domain/block.ts'
import type { SeenIndex } from '../domain/seen-index.ts'
import type { Confirmed } from './confirmed.ts'
import { dropDuplicates } from './drop-duplicates.ts'
import { type GatherLimits, gatherRecords } from './gather-records.ts'
import { damagedLetter, storeRange } from './store-range.ts'

export interface LaneDeps {
  readonly table: EventsTable
  readonly postgres: Postgres
  readonly index: SeenIndex
  readonly confirmed: Confirmed
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: GatherLimits & { readonly insertBudgetMs: number }
  onDeadLetter(letter: DeadLetter): void
  /** Told of every block (rows stored, duplicates dropped) and, with an error, of every stall. */
  onProgress(partition: number, block: { stored: number; dropped: number } | { error: unknown }): void
}

/**
 * Stores one log partition, in order, exactly once, for as long as the lane is ours:
 * claim → replay what is pending → { gather → record as pending → drop duplicates → insert → confirm } …
 * Any error ends the lane; the log runs it again after a pause and it starts over from the claim, so that there is one
 * path of recovery and it is the path of every start.
 */
export async function consumeLane(lane: Lane, deps: LaneDeps): Promise<void> {
  try {
    const progress = await claimProgress(deps.postgres, lane.partition)
    for (const range of progress.pending) await replay(lane, progress, range, deps)
    let next = Math.max(progress.next, ...progress.pending.map((range) => range.last + 1))
    deps.confirmed.advance(lane.partition, next)
    await lane.commit(next)

    while (!lane.signal.aborted) {
      const records = await gatherRecords(lane, next, deps)
      if (records.length === 0) continue
      const range = rangeOf(records, next)
      await progress.begin(range)
      await store(lane, progress, range, records, deps)
      next = range.last + 1
      deps.confirmed.advance(lane.partition, next)
      await lane.commit(next)
    }
  } catch (error) {
    if (lane.signal.aborted) return
    deps.logger.warn('storing a log partition failed; it will start over', {
      partition: lane.partition,
      error: messageOf(error),
    })
    deps.onProgress(lane.partition, { error })
    throw error
  }
}

async function store(
  lane: Lane,
  progress: Progress,
  range: Range,
  records: LogRecord[],
  deps: LaneDeps,
): Promise<void> {
  const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
  const block = cutBlock(lane.partition, range.first, range.last, records)
  const rows = await dropDuplicates(block, deps.index, deps.table, call)
  const target = { partition: lane.partition, table: deps.table, progress, deadLetter: deps.onDeadLetter }
  await storeRange(target, range, rows, block.damaged.map(damagedLetter), call)
  deps.onProgress(lane.partition, { stored: rows.length, dropped: block.rows.length - rows.length })
}

/**
 * A pending range: the insert may have happened. A block is one part and parts are atomic, but the range may be a half of
 * one that was split, and an insert whose client died may still be running. So: what the table has of the range counts as
 * stored; the rest goes the usual way under the usual token, which the engine honours if that other insert wins the race.
 */
async function replay(lane: Lane, progress: Progress, range: Range, deps: LaneDeps): Promise<void> {
  const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
  const stored = await deps.table.storedOffsets(lane.partition, range.first, range.last, call)
  const records = await readRange(lane, range)
  const block = cutBlock(lane.partition, range.first, range.last, records)
  const missing = { ...block, rows: block.rows.filter((row) => !stored.has(row.offset)) }
  const rows = await dropDuplicates(missing, deps.index, deps.table, call)
  const target = { partition: lane.partition, table: deps.table, progress, deadLetter: deps.onDeadLetter }
  await storeRange(target, range, rows, block.damaged.map(damagedLetter), call)
  deps.logger.info('replayed a pending range', {
    partition: lane.partition,
    ...range,
    alreadyStored: stored.size,
    inserted: rows.length,
  })
}

/** All records of a range that is still in the log. @throws when a part of it is gone: then nothing may be confirmed. */
async function readRange(lane: Lane, range: Range): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (let next = range.first; next <= range.last; ) {
    const read = await lane.read(next, { maxEvents: range.last - next + 1, maxBytes: 64 << 20, waitMs: 0 })
    const last = read.at(-1)
    if (!last || read[0]!.baseOffset > next) {
      throw new Error(`log partition ${lane.partition} no longer holds the pending offsets from ${next}`)
    }
    records.push(...read)
    next = last.baseOffset + last.count
  }
  return records
}

function rangeOf(records: readonly LogRecord[], next: number): Range {
  const last = records.at(-1)!
  return { first: next, last: last.baseOffset + last.count - 1 }
}
