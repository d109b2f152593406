import { decodeRow, openRecord } from '@splitstream/ingest/contract'
import type { EventLog, Lane, LogAppend, LogRecord } from '@splitstream/kernel'
import { eventRecord } from '../../src/transports/kafka/event-record.fixture.ts'

/**
 * A log whose records are to be events: each opaque record of one event becomes the data of an event, and is taken out of it
 * again. What it does not touch is all that the suite is about: places, order, limits, commits.
 */
export function ofEvents(log: EventLog): EventLog {
  return {
    partitions: log.partitions,
    end: (partition) => log.end(partition),
    append: (entries, call) => log.append(entries.map(wrapped), call),
    consume: (group, handler) => log.consume(group, (lane) => handler(ofLane(lane))),
  }
}

const wrapped = (entry: LogAppend): LogAppend => ({
  ...entry,
  bytes: eventRecord([{ base64: Buffer.from(entry.bytes).toString('base64') }]),
})

const ofLane = (lane: Lane): Lane => ({
  partition: lane.partition,
  signal: lane.signal,
  bounds: () => lane.bounds(),
  committed: () => lane.committed(),
  commit: (next) => lane.commit(next),
  read: async (from, limits) => (await lane.read(from, limits)).map(unwrapped),
})

function unwrapped(record: LogRecord): LogRecord {
  if (record.corrupt) return record
  return { ...record, bytes: Buffer.from(decodeRow(openRecord(record.bytes), 0).data, 'base64') }
}
