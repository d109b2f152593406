import { type Clock, type Logger, type LogWriter, systemCall } from '@splitstream/kernel'
import { type LocalLogOptions, openLocalLog } from './local-log.ts'

/**
 * Moves what `group` has not consumed of a local log into another one, in order, and remembers how far it came: the step of
 * an installation from the local log to another. Cut off, it goes on at the next start; what was moved twice by that is
 * dropped as any retry is.
 */
export async function moveRest(
  from: LocalLogOptions,
  to: LogWriter,
  group: string,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  const log = await openLocalLog(from)
  let events = 0
  try {
    const { lag, partitions } = log.stats()
    const left = lag[group] ?? partitions.reduce((sum, { start, end }) => sum + end - start, 0)
    if (left === 0) return
    logger.info('events of the local log move to the new one', { events: left })
    const done = Array.from({ length: from.partitions }, () => Promise.withResolvers<void>())
    const consumption = await log.consume(group, async (lane) => {
      const { end } = await lane.bounds()
      for (let next = Math.max(await lane.committed(), (await lane.bounds()).start); next < end; ) {
        for (const record of await lane.read(next, { maxEvents: 100_000, maxBytes: 4 << 20, waitMs: 0 })) {
          const call = systemCall(clock, 60_000, lane.signal)
          const bytes = Uint8Array.from(record.bytes)
          // A damaged row stands for all the records that were in it, and no reader believes its count.
          const count = record.corrupt ? 1 : record.count
          await to.append([{ partition: lane.partition, count, bytes }], call)
          next = record.baseOffset + record.count
          events += record.count
        }
        await lane.commit(next)
      }
      done[lane.partition]!.resolve()
      await clock.sleep(2 ** 31 - 1, lane.signal).catch(() => undefined)
    })
    await Promise.all(done.map((one) => one.promise))
    await consumption.stop()
  } finally {
    await log.stop()
  }
  logger.info('the events of the local log were moved', { events })
}
