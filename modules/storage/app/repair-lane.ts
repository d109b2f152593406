import { type Lane, systemCall } from '@splitstream/kernel'
import type { Progress, Range } from '../adapters/progress.ts'
import type { LaneDeps } from './consume-lane.ts'
import { FirstVerdicts } from './first-verdicts.ts'
import { readMs, replayRecords } from './replay-range.ts'

/**
 * The start-up gate. ClickHouse puts a damaged part aside at start and says nothing: its rows are simply gone from every
 * answer. So the rows that the table has below `next` are counted against those confirmed in Postgres. States:
 *
 *   whole      the counts agree.
 *   noted      rows are missing: the loss is on record, and everything that the log still holds is gone through again. The
 *              confirmed count stays, and no range is recorded, so that an interrupted repair starts over and ends here too.
 *   settled    the count is taken anew. What could not be brought back stays on record, and the process is not ready until
 *              an operator acknowledges it.
 *
 * @param pending ranges that are not confirmed: a row that was refused may be one though others behind it are confirmed
 */
export async function repairLane(
  lane: Lane,
  progress: Progress,
  next: number,
  deps: LaneDeps,
  pending: readonly Range[] = [],
): Promise<void> {
  const expected = progress.stored
  const early = pending.filter(({ first }) => first < next)
  const count = async (): Promise<number> => {
    const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
    const all = await deps.table.countBetween(lane.partition, 0, next, call)
    if (early.length === 0) return all
    const places = early.map(({ first, last }) => ({ partition: lane.partition, from: first, next: last + 1 }))
    return all - (await deps.table.countIn(places, call))
  }
  let actual = await count()
  if (actual === expected) return
  // An earlier owner's repair may still be running: its rows have tokens that ours do not repeat.
  const call = systemCall(deps.clock, deps.limits.insertBudgetMs, lane.signal)
  await deps.table.endInserts(lane.partition, call)
  actual = await count()
  const fields = { partition: lane.partition, expected, actual }
  if (actual === expected) return
  if (actual > expected) {
    deps.logger.error('the events table has more rows than were confirmed; from now on they count', fields)
    await progress.settleLoss(actual, 0)
    return
  }
  deps.logger.error('rows are missing from the events table; they are brought back from the log', fields)
  await progress.noteLoss(expected - actual)
  await goThroughLog(lane, progress, next, deps)
  const now = await count()
  const missing = Math.max(0, expected - now)
  await progress.settleLoss(now, missing)
  deps.logger[missing > 0 ? 'error' : 'info']('the repair is done', { ...fields, stillMissing: missing })
}

async function goThroughLog(lane: Lane, progress: Progress, next: number, given: LaneDeps): Promise<void> {
  // What was said of these rows first, they were stored or dropped by; now each is sought once more.
  const deps = { ...given, verdicts: new FirstVerdicts() }
  // New for each try: the engine remembers the tokens of the parts that it lost, and of an earlier repair.
  const token = `:repair-${deps.clock.now()}`
  const unrecorded: Pick<Progress, 'split' | 'confirm'> = {
    split: async () => undefined,
    confirm: async (_range, _rows, dead) => {
      if (dead.length > 0) await progress.bury(dead)
    },
  }
  const { maxEvents, maxBytes } = deps.limits
  // The head of the log may be trimmed meanwhile: what is read says where it begins now.
  for (let from = (await lane.bounds()).start; from < next; ) {
    const records = await lane.read(from, { maxEvents, maxBytes, waitMs: readMs })
    const [head, tail] = [records[0], records.at(-1)]
    if (!head || !tail) break
    const range = { first: Math.max(from, head.baseOffset), last: Math.min(tail.baseOffset + tail.count, next) - 1 }
    if (range.first > range.last) break
    await replayRecords(lane, unrecorded, range, records, deps, token)
    from = range.last + 1
  }
}
