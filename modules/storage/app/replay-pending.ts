import type { Lane } from '@splitstream/kernel'
import type { Progress, Range } from '../adapters/progress.ts'
import type { LaneDeps } from './consume-lane.ts'
import { replayRange } from './replay-range.ts'

/** Of what comes behind a row that is refused, when that has to show that the engine takes others. */
const company = { maxEvents: 1_000, maxBytes: 1 << 20, waitMs: 0 }

/**
 * Replays the ranges that were begun before, in order. Only a row that is refused for minutes lets those behind it go first: when the
 * engine takes them, the row is to blame (refusals.ts). Until then it stays on record as pending.
 * @returns the offset below which everything is done
 */
export async function replayPending(lane: Lane, progress: Progress, deps: LaneDeps): Promise<number> {
  const held: Range[] = []
  let next = progress.next
  for (const range of progress.pending) {
    try {
      await replayRange(lane, progress, range, deps)
    } catch (error) {
      if (!deps.refusals.isUnproven(error, range)) throw error
      held.push(range)
    }
    next = Math.max(next, range.last + 1)
  }
  if (held.length === progress.pending.length && held.length > 0) next = await storeBehind(lane, progress, next, deps)
  for (const range of held) await replayRange(lane, progress, range, deps)
  return next
}

/** What the log has from `next` on, when it has something: as a range of its own. */
async function storeBehind(lane: Lane, progress: Progress, next: number, deps: LaneDeps): Promise<number> {
  const tail = (await lane.read(next, company)).at(-1)
  if (!tail) return next
  const range = { first: next, last: tail.baseOffset + tail.count - 1 }
  await progress.begin(range)
  await replayRange(lane, progress, range, deps)
  return range.last + 1
}
