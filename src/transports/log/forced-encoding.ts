import { deserialize, serialize } from 'node:v8'
import type { Call, EventLog, Lane, LogAppend, LogRange, LogRecord } from '@splitstream/kernel'

/**
 * A log of which everything is written to bytes and read back on its way in and out: entries, ranges, records. What a test
 * passes with it does not rely on sharing memory with the log.
 */
export function forceEncoding(log: EventLog): EventLog {
  return {
    partitions: log.partitions,
    end: (partition) => log.end(partition),
    isSkipped: (partition, next) => log.isSkipped?.(partition, next) ?? false,
    append: async (entries: readonly LogAppend[], call: Call): Promise<LogRange[]> =>
      overTheWire(await log.append(overTheWire(entries), call)),
    consume: (group, handler) => log.consume(group, (lane) => handler(encodedLane(lane))),
  }
}

function encodedLane(lane: Lane): Lane {
  return {
    partition: lane.partition,
    signal: lane.signal,
    bounds: async () => overTheWire(await lane.bounds()),
    committed: () => lane.committed(),
    read: async (from, limits): Promise<LogRecord[]> =>
      (await lane.read(from, overTheWire(limits))).map((record) => overTheWire(record)),
    commit: (next) => lane.commit(next),
  }
}

/** Structured clone by way of bytes: unlike `structuredClone`, views into a larger buffer come out with no more than they show. */
function overTheWire<T>(value: T): T {
  return deserialize(serialize(value)) as T
}
