import { type LogAppend, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { openKafkaLog } from '../../../src/transports/kafka/log.ts'
import { temporaryFolder } from '../cleanup.ts'
import type { AppendJob, AppendResult } from '../job.ts'
import { batchBody } from '../payload.ts'
import { eventsPerBatch } from '../plan.ts'

/**
 * Opens the log, which makes the topic if there is none and connects, and builds the batches. The returned function is the
 * measurement: appends to the log as ingest makes them, without HTTP and without looking into an event.
 */
export async function prepareAppends(job: AppendJob): Promise<() => Promise<AppendResult>> {
  const folder = temporaryFolder()
  const log = await openKafkaLog({
    brokers: job.brokers,
    topic: job.topic,
    partitions: job.partitions,
    compression: job.compression,
    groupPrefix: job.topic,
    spoolDir: folder.path,
    // A busy machine is slow, and not an outage.
    sendMs: 30_000,
    ...{ replication: 3, minInSync: 2, retainMs: 3_600_000, maxSpoolBytes: 64 << 20, minFreeBytes: 0 },
    clock: systemClock,
    logger: silentLogger,
  })
  const appends = Array.from({ length: job.events / eventsPerBatch }, (_, n) => entriesOf(job, n))

  return async () => {
    const call = systemCall(systemClock, 600_000, new AbortController().signal)
    const [from, cpu] = [performance.now(), process.cpuUsage()]
    let taken = 0
    const appendSome = async (): Promise<void> => {
      while (taken < appends.length) {
        const entries = appends[taken++]!
        const ranges = await log.append(entries, call)
        if (ranges.length < entries.length) throw new Error('Kafka did not take a batch in time')
      }
    }
    await Promise.all(Array.from({ length: job.inFlight }, appendSome))
    const durableMs = performance.now() - from
    const { user, system } = process.cpuUsage(cpu)
    await log.stop()
    await folder.remove()
    return { events: job.events, durableMs, cpuSeconds: (user + system) / 1e6 }
  }
}

/** What batch `n` is in the log. */
function entriesOf({ partitions, series, spread }: AppendJob, n: number): LogAppend[] {
  const first = n * eventsPerBatch
  if (!spread) {
    return [{ partition: n % partitions, count: eventsPerBatch, bytes: batchBody(series, first, eventsPerBatch) }]
  }
  return Array.from({ length: partitions }, (_, partition) => {
    const [from, to] = [partition, partition + 1].map((p) => first + Math.floor((p * eventsPerBatch) / partitions))
    return { partition, count: to! - from!, bytes: batchBody(series, from!, to! - from!) }
  })
}
