import {
  type Clock,
  catalogue,
  codeOf,
  type Lane,
  type LogAppend,
  type Logger,
  type LogRecord,
  type LogWriter,
  systemCall,
} from '@splitstream/kernel'
import { type LocalLog, type LocalLogOptions, openLocalLog } from './local-log.ts'

export interface MoveOptions {
  readonly from: LocalLogOptions
  readonly to: LogWriter
  /** What the new log takes in the place of a record: the record, or its parts. @throws AppError when it takes none */
  partsOf(record: LogRecord): readonly Pick<LogAppend, 'count' | 'bytes'>[]
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Moves what any group has not consumed of a local log into another one, in order, and remembers how far it came: the step of
 * an installation from the local log to another. Cut off, it goes on at the next start. What was moved twice by that, or was
 * consumed by some groups and not by others, is dropped as any retry is. What cannot be done now is tried again.
 * @throws AppError for what would fail again: the rest stays where it is
 */
export async function moveRest(o: MoveOptions): Promise<void> {
  const { clock, logger } = o
  const log = await openLocalLog(o.from)
  let events = 0
  try {
    const { lag, partitions } = log.stats()
    const all = partitions.reduce((sum, { start, end }) => sum + end - start, 0)
    // In a log that was never consumed all is left.
    const [groups, left] =
      Object.keys(lag).length > 0 ? [Object.keys(lag), Math.max(...Object.values(lag))] : [['storage'], all]
    if (left === 0) return
    logger.info('events of the local log move to the new one', { events: left })
    const done = Array.from({ length: o.from.partitions }, () => Promise.withResolvers<void>())
    const consumption = await log.consume(groups[0]!, async (lane) => {
      try {
        events += await moveLane(lane, log, groups, o)
        done[lane.partition]!.resolve()
      } catch (error) {
        if (catalogue[codeOf(error)].retryable || lane.signal.aborted) throw error
        done[lane.partition]!.reject(error)
      }
      await clock.sleep(2 ** 31 - 1, lane.signal).catch(() => undefined)
    })
    await Promise.all(done.map((one) => one.promise))
    await consumption.stop()
  } finally {
    await log.stop()
  }
  logger.info('the events of the local log were moved', { events })
}

/** @returns the events that were moved */
async function moveLane(
  lane: Lane,
  log: LocalLog,
  groups: readonly string[],
  { to, partsOf, clock }: MoveOptions,
): Promise<number> {
  const { start, end } = await lane.bounds()
  const slowest = Math.min(...groups.map((group) => log.committed(group, lane.partition)))
  let events = 0
  for (let next = Math.max(slowest, start); next < end; ) {
    for (const record of await lane.read(next, { maxEvents: 100_000, maxBytes: 4 << 20, waitMs: 0 })) {
      for (const { count, bytes } of partsOf(record)) {
        const call = systemCall(clock, 60_000, lane.signal)
        const { traceparent } = record
        await to.append([{ partition: lane.partition, count, bytes: Uint8Array.from(bytes), traceparent }], call)
      }
      next = record.baseOffset + record.count
      events += record.count
    }
    for (const group of groups) {
      if (log.committed(group, lane.partition) < next) log.commit(group, lane.partition, next)
    }
  }
  return events
}
