import { crc32 } from 'node:zlib'
import type { LogRecord } from '@splitstream/kernel'
import type { KafkaMessage, Message } from 'kafkajs'
import { firstPartition, placeOf } from './places.ts'

/*
 * A record on the topic (docs/kafka.md): the value is the batch as ingest made it (version 1 of its record format), the
 * headers say how many events it holds and its CRC-32, both in decimal. Kafka's own checksum ends at the broker's disk;
 * this one covers the whole way.
 */
export const headers = { count: 'splitstream-count', checksum: 'splitstream-crc32' } as const

/** @param partition Kafka's number */
export function toMessage(partition: number, count: number, bytes: Uint8Array): Message {
  return {
    partition,
    // Without a key: the partition is given, and nothing on the topic is to be compacted.
    key: null,
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    headers: { [headers.count]: String(count), [headers.checksum]: String(crc32(bytes)) },
  }
}

/** A record that is not ours, or was damaged, is `corrupt`: storage keeps it as a dead letter. */
export function fromMessage(partition: number, message: KafkaMessage): LogRecord {
  const bytes = message.value ?? Buffer.alloc(0)
  const count = numberIn(message.headers?.[headers.count])
  const sound = count !== undefined && count > 0 && numberIn(message.headers?.[headers.checksum]) === crc32(bytes)
  return {
    partition: firstPartition + partition,
    baseOffset: placeOf(message.offset),
    count: count !== undefined && count > 0 ? count : 1,
    bytes,
    appendedAt: Number(message.timestamp),
    corrupt: !sound,
  }
}

function numberIn(header: unknown): number | undefined {
  if (!Buffer.isBuffer(header) && typeof header !== 'string') return undefined
  const number = Number(String(header))
  return Number.isInteger(number) && number >= 0 && number < 2 ** 32 ? number : undefined
}
