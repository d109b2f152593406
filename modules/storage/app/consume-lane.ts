import {
  AppError,
  type Clock,
  type Lane,
  type Logger,
  type LogRecord,
  messageOf,
  type Postgres,
  partitionsPerLog,
  type Span,
  systemCall,
  within,
} from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { claimProgress, type DeadLetter, type Progress, type Range, readProgress } from '../adapters/progress.ts'
import { cutBlock } from '../domain/block.ts'
import type { SeenIndex } from '../domain/seen-index.ts'
import type { BlockWatch, Outcome } from './block-watch.ts'
import type { Confirmed } from './confirmed.ts'
import type { Coverage } from './coverage.ts'
import { dropDuplicates } from './drop-duplicates.ts'
import type { FirstVerdicts } from './first-verdicts.ts'
import { type GatherLimits, gatherRecords } from './gather-records.ts'
import { loseTrimmed } from './lose-trimmed.ts'
import { recordStored } from './record-stored.ts'
import type { Refusals } from './refusals.ts'
import { repairLane } from './repair-lane.ts'
import { replayPending } from './replay-pending.ts'
import { damagedLetter, storeRange } from './store-range.ts'

export interface LaneDeps {
  readonly table: EventsTable
  readonly postgres: Postgres
  readonly index: SeenIndex
  readonly verdicts: FirstVerdicts
  readonly refusals: Refusals
  readonly coverage: Coverage
  readonly confirmed: Confirmed
  readonly clock: Clock
  readonly logger: Logger
  readonly watch: BlockWatch
  readonly limits: GatherLimits & { readonly insertBudgetMs: number }
  onDeadLetter(letter: DeadLetter): void
  /** The partition's rows are all there, or their loss is on record. */
  onChecked(partition: number): void
  /** Told of every block, and with an error of every stall. */
  onProgress(partition: number, error?: unknown): void
}

/**
 * Stores one log partition, in order, exactly once, for as long as the lane is ours:
 * claim → learn what others stored → check that nothing confirmed is missing → replay what is pending →
 * put on record what the log has lost, and what is stored and not on record →
 * { gather → record as pending → drop duplicates → insert → confirm } …
 * Any error ends the lane; the log runs it again after a pause and it starts over from the claim, so that there is one
 * path of recovery and it is the path of every start.
 */
export async function consumeLane(lane: Lane, given: LaneDeps): Promise<void> {
  const deps: LaneDeps = {
    ...given,
    // A block with many of them takes many inserts.
    onDeadLetter: (letter) => {
      lane.working?.()
      given.onDeadLetter(letter)
    },
  }
  try {
    const { coverage, index, table, clock, limits } = deps
    const progress = await claimProgress(deps.postgres, lane.partition)
    await checkSameLog(lane, progress)
    // What was stored of another log before it was our turn counts too, and waiters want to know.
    const call = systemCall(clock, limits.insertBudgetMs, lane.signal)
    const stored = await storedOfOtherLogs(lane.partition, deps.postgres)
    for (const [partition, next] of stored) deps.confirmed.advance(partition, next)
    await coverage.extend(index, table, stored.set(lane.partition, progress.next), call)
    // First: a retry that is pending would be stored in place of its event that is missing, and the event would count as lost.
    await repairLane(lane, progress, progress.next, deps, progress.pending)
    let next = await replayPending(lane, progress, deps)
    next = await loseTrimmed(lane, progress, next, deps)
    next = await recordStored(lane, progress, next, deps)
    // What the log no longer had of these counts as well.
    if (next > progress.next) await repairLane(lane, progress, next, deps)
    coverage.advance(lane.partition, next)
    deps.confirmed.advance(lane.partition, next)
    await lane.commit(next)
    deps.onChecked(lane.partition)
    deps.onProgress(lane.partition)

    while (!lane.signal.aborted) {
      const records = await gatherRecords(lane, next, deps)
      if (records.length === 0) continue
      const range = rangeOf(records, next)
      await deps.watch.block(lane.partition, records, false, async (span) => {
        await progress.begin(range)
        return await store(lane, progress, range, records, deps, span)
      })
      deps.onProgress(lane.partition)
      next = range.last + 1
      coverage.advance(lane.partition, next)
      deps.confirmed.advance(lane.partition, next)
      await lane.commit(next)
    }
  } catch (error) {
    if (lane.signal.aborted) return
    deps.logger.warn('storing a log partition failed; it will start over', {
      partition: lane.partition,
      error: messageOf(error),
    })
    deps.onProgress(lane.partition, error)
    throw error
  }
}

async function store(
  lane: Lane,
  progress: Progress,
  range: Range,
  records: LogRecord[],
  deps: LaneDeps,
  span: Span | undefined,
): Promise<Outcome> {
  const call = within(systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal), span)
  const block = cutBlock(lane.partition, range.first, range.last, records)
  const rows = await dropDuplicates(block, await deps.verdicts.doubts(block, deps.index), deps.table, call)
  const target = {
    partition: lane.partition,
    table: deps.table,
    progress,
    refusals: deps.refusals,
    deadLetter: deps.onDeadLetter,
  }
  await storeRange(target, range, rows, block.damaged.map(damagedLetter), call)
  return { stored: rows.length, dropped: block.rows.length - rows.length }
}

async function storedOfOtherLogs(partition: number, postgres: Postgres): Promise<Map<number, number>> {
  const logOf = (one: number): number => Math.floor(one / partitionsPerLog)
  const others = (await readProgress(postgres)).filter((one) => logOf(one.partition) !== logOf(partition))
  return new Map(others.map((one) => [one.partition, one.next]))
}

/** @throws AppError CONFLICT when the log ends before what was stored from it: its new events would never be read. */
async function checkSameLog(lane: Lane, progress: Progress): Promise<void> {
  const { end } = await lane.bounds()
  if (end >= progress.next) return
  throw new AppError(
    'CONFLICT',
    `partition ${lane.partition} of the event log ends at ${end}, before the ${progress.next} that are stored: ` +
      'this is not the log that was; put the right one back, or start with an empty DATA_DIR',
  )
}

function rangeOf(records: readonly LogRecord[], next: number): Range {
  const last = records.at(-1)!
  return { first: next, last: last.baseOffset + last.count - 1 }
}
