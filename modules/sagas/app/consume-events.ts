import type { RowFilter } from '@splitstream/ingest/contract'
import type { Clock, Lane, Logger, LogRecord } from '@splitstream/kernel'
import { type AwaitedDeps, deliverAwaited } from './deliver-awaited.ts'
import type { Interest, Interests } from './interests.ts'
import { persist } from './persist.ts'
import { startTriggered, type TriggerDeps } from './start-triggered.ts'
import { type WantedEvent, wantedEvents } from './wanted-event.ts'

export interface ConsumeDeps extends Omit<TriggerDeps, 'persist'>, Omit<AwaitedDeps, 'persist'> {
  readonly interests: Interests
  readonly clock: Clock
  readonly logger: Logger
  /** The process stops: a lane that ends is not another process's. */
  readonly stopping: () => boolean
  /** Told of every failure that makes the lane wait and try again, and, without an error, that it goes on. */
  onProgress(partition: number, error?: unknown): void
  onDamaged(record: LogRecord): void
}

/** How often a lane that nobody wants anything of looks whether somebody does, ms. */
const idleMs = 1_000
/** What is read at once. */
const limits = { maxEvents: 20_000, maxBytes: 4 << 20, waitMs: idleMs }
/** Batches that are not full begin so far apart, ms: many small appends are taken together. */
const paceMs = 25
/** Events whose effects are committed together. */
const chunk = 256

/**
 * Takes the events of one partition, in order, for as long as the lane is ours: starts the sagas that they trigger and gives
 * them to steps that wait, then commits their offset. What is done twice after a crash is done once: sagas have keys.
 *
 * While no definition of any tenant wants an event, no record is read: the end of the partition is committed every second. The
 * order matters there. What lies before an end that was asked for first, and is wanted by a definition that was not there
 * when it was asked for second, came before that definition.
 */
export async function consumeEvents(lane: Lane, deps: ConsumeDeps): Promise<void> {
  const { clock } = deps
  const work = patiently(lane, deps)
  let next = await begin(lane, deps.logger)
  let filter: RowFilter<Interest> | undefined
  while (!lane.signal.aborted) {
    if (!filter) {
      const { end } = await lane.bounds()
      filter = await work.interests()
      if (filter) continue
      if (end > next) await lane.commit(end)
      next = Math.max(next, end)
      deps.onProgress(lane.partition)
      await clock.sleep(idleMs, lane.signal).catch(() => undefined)
      continue
    }
    const records = await lane.read(next, limits)
    const readAt = clock.monotonic()
    // After the read: whatever was published before these events were sent is known.
    filter = await work.interests()
    const last = records.at(-1)
    if (!filter || !last) continue
    await work.take(wantedEvents(records, filter, next, deps.onDamaged))
    next = last.baseOffset + last.count
    await lane.commit(next)
    deps.onProgress(lane.partition)
    if (sizeOf(records) > limits.maxBytes / 2) continue
    await clock.sleep(Math.max(0, readAt + paceMs - clock.monotonic()), lane.signal).catch(() => undefined)
  }
  if (!filter && deps.stopping()) await leaveEmpty(lane, next, deps.interests)
}

/** Where to go on. */
async function begin(lane: Lane, logger: Logger): Promise<number> {
  const committed = await lane.committed()
  const { start, end } = await lane.bounds()
  if (start <= committed && committed <= end) return committed
  // A new group begins with what there is.
  if (committed > 0) {
    logger.error('the event log does not go on where sagas have left it; events in between start no sagas', {
      ...{ partition: lane.partition, committed, logBegins: start, logEnds: end },
    })
  }
  return start
}

/** What is tried until it is done, or the lane is not ours any more. */
function patiently(lane: Lane, deps: ConsumeDeps) {
  const onFailure = (error: unknown): void => deps.onProgress(lane.partition, error)
  const tries = <T>(work: () => Promise<T>) => persist(work, { clock: deps.clock, signal: lane.signal, onFailure })
  return {
    interests: () => tries(() => deps.interests.asOfNow()),
    take: async (events: readonly WantedEvent[]) => {
      for (let i = 0; i < events.length; i += chunk) {
        const some = events.slice(i, i + chunk)
        await deliverAwaited(some, { ...deps, persist: tries })
        await startTriggered(some, { ...deps, persist: tries })
      }
    },
  }
}

/** Nothing is left in a log that nobody wants anything of: another one may follow it. */
async function leaveEmpty(lane: Lane, next: number, interests: Interests): Promise<void> {
  try {
    const { end } = await lane.bounds()
    if (end > next && !(await interests.asOfNow())) await lane.commit(end)
  } catch {
    // The next start looks at it.
  }
}

const sizeOf = (records: readonly LogRecord[]): number => records.reduce((sum, { bytes }) => sum + bytes.length, 0)
