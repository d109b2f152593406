import { crc32 } from 'node:zlib'
import { isTraceparent, type LogRecord } from '@splitstream/kernel'
import type { KafkaMessage, Message } from 'kafkajs'
import { firstPartition, maxEventsPerRecord, placeOf } from './places.ts'
import type { Encoded } from './sends.ts'

/*
 * A record of a batch on the topic (docs/kafka.md): the value is the batch as ingest made it (version 1 of its record format), the
 * headers say how many events it holds and its CRC-32, both in decimal, and the W3C Trace Context of an append that was traced. Kafka's own checksum ends at the broker's disk;
 * this one covers the whole way.
 */
export const headers = { count: 'splitstream-count', checksum: 'splitstream-crc32', trace: 'traceparent' } as const

/** What tells readers that a record was damaged before it came here: no checksum fits it. */
const damaged = 'damaged'

/** Of the log port, with what only a record that was in a log before has. */
export type Outgoing = Pick<LogRecord, 'count' | 'bytes'> &
  Partial<Pick<LogRecord, 'corrupt' | 'traceparent'>> & { readonly appendedAt?: number | undefined }

/** @param partition Kafka's number */
export function toMessage(partition: number, { count, bytes, appendedAt, corrupt, traceparent }: Outgoing): Message {
  return {
    partition,
    // Without a key: the partition is given, and nothing on the topic is to be compacted.
    key: null,
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    headers: {
      // A damaged row of the spool can stand for more records than one.
      [headers.count]: String(Math.min(count, maxEventsPerRecord)),
      [headers.checksum]: corrupt ? damaged : String(crc32(bytes)),
      ...(traceparent !== undefined && { [headers.trace]: traceparent }),
    },
    ...(appendedAt !== undefined && { timestamp: String(appendedAt) }),
  }
}

/** One record of the topic for each record of the log. */
export const asBatch = (partition: number, record: Outgoing): Encoded[] => [
  { message: toMessage(partition, record), events: Math.min(record.count, maxEventsPerRecord) },
]

/** What counts of a record of the topic. */
export type Incoming = Pick<KafkaMessage, 'value' | 'headers' | 'offset' | 'timestamp'>

/** A record that is not ours, or was damaged, is `corrupt`: storage keeps it as a dead letter. */
export function fromMessage(partition: number, message: Incoming): LogRecord {
  const bytes = message.value ?? Buffer.alloc(0)
  const count = numberIn(message.headers?.[headers.count])
  const counted = count !== undefined && count > 0 && count <= maxEventsPerRecord
  const sound = counted && numberIn(message.headers?.[headers.checksum]) === crc32(bytes)
  return {
    partition: firstPartition + partition,
    baseOffset: placeOf(message.offset),
    count: counted ? count : 1,
    bytes,
    appendedAt: Number(message.timestamp),
    ...readTrace(message),
    corrupt: !sound,
  }
}

/** Others may write to the topic: what is no trace context is none. */
export function readTrace(message: Incoming): { readonly traceparent?: string } {
  const header = message.headers?.[headers.trace]
  if (!Buffer.isBuffer(header) && typeof header !== 'string') return {}
  return isTraceparent(String(header)) ? { traceparent: String(header) } : {}
}

function numberIn(header: unknown): number | undefined {
  if (!Buffer.isBuffer(header) && typeof header !== 'string') return undefined
  const text = String(header)
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined
}
