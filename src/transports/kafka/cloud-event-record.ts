import { crc32 } from 'node:zlib'
import type { LogRecord } from '@splitstream/kernel'
import type { Message } from 'kafkajs'
import { firstPartition, placeOf } from './places.ts'
import { asBatch, fromMessage, headers, type Incoming, type Outgoing, readTrace } from './record.ts'
import { type Encode, sizeOf } from './sends.ts'
import { maxRecordBytes } from './topic.ts'

/**
 * What the bytes of the log hold, which the log itself does not know. Given by whoever opens it.
 */
export interface EventCodec {
  /** Each event of a record by itself. @throws RangeError at once when the bytes are no record of events */
  split(bytes: Uint8Array): { readonly count: number; readonly events: Iterable<CodedEvent> }
  /** A record of the one event. @throws RangeError when the two do not belong together */
  join(event: Pick<CodedEvent, 'json' | 'row'>): Uint8Array
}

export interface CodedEvent {
  readonly tenant: string
  /** CloudEvents 1.0 in JSON. */
  readonly json: Uint8Array
  /** What else is needed to make the record of the event again. */
  readonly row: Uint8Array
}

/*
 * One record for each event (docs/kafka.md), by the Kafka protocol binding of CloudEvents 1.0, structured content mode: the value
 * is the whole event in JSON. Not binary mode: there attributes are headers, which are strings, so that numbers and booleans among
 * the extension attributes would not be told from text; and most tools that read a topic show values alone. Each header costs
 * as much time as the value, so one has both the row and, before it, the CRC-32 of row and value (u32, little endian).
 */
export const cloudEventHeaders = {
  type: 'content-type',
  tenant: 'splitstream-tenant',
  row: 'splitstream-row',
} as const

const checksumBytes = 4

const contentType = 'application/cloudevents+json; charset=UTF-8'

/** What is not a record of events, or was damaged before, goes as it is: storage keeps it as a dead letter. */
export const asCloudEvents = (codec: EventCodec): Encode =>
  function* (partition, record) {
    const events = eventsOf(record, codec)
    if (!events) {
      yield* asBatch(partition, record)
      return
    }
    for (const event of events) {
      const message = toMessage(partition, event, record)
      // JSON can be several times as large, and what Kafka does not take would hold up all behind it.
      if (sizeOf(message) <= maxRecordBytes) yield { message, events: 1 }
      else yield* asBatch(partition, { ...record, count: 1, bytes: codec.join(event) })
    }
  }

function eventsOf({ corrupt, bytes, count }: Outgoing, codec: EventCodec): Iterable<CodedEvent> | undefined {
  if (corrupt) return undefined
  try {
    const found = codec.split(bytes)
    return found.count === count ? found.events : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function checked(row: Uint8Array, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(checksumBytes + row.length)
  bytes.writeUInt32LE(crc32(value, crc32(row)))
  bytes.set(row, checksumBytes)
  return bytes
}

function toMessage(partition: number, event: CodedEvent, { traceparent, appendedAt }: Outgoing): Message {
  const value = bufferOf(event.json)
  return {
    partition,
    key: null,
    value,
    headers: {
      [cloudEventHeaders.type]: contentType,
      [cloudEventHeaders.tenant]: event.tenant,
      [cloudEventHeaders.row]: checked(event.row, value),
      ...(traceparent !== undefined && { [headers.trace]: traceparent }),
    },
    ...(appendedAt !== undefined && { timestamp: String(appendedAt) }),
  }
}

/**
 * A record of the topic in either encoding, told by a header that nobody else writes: one of others, CloudEvent or not, did not
 * pass ingest, and is `corrupt` as a damaged one is. Then the bytes are the value as found.
 */
export function readMessage(partition: number, message: Incoming, codec: EventCodec | undefined): LogRecord {
  const row = message.headers?.[cloudEventHeaders.row]
  return codec && Buffer.isBuffer(row)
    ? fromCloudEvent(partition, message, row, codec)
    : fromMessage(partition, message)
}

function fromCloudEvent(partition: number, message: Incoming, header: Buffer, codec: EventCodec): LogRecord {
  const json = message.value ?? Buffer.alloc(0)
  const row = header.subarray(checksumBytes)
  const sound = row.length > 0 && header.readUInt32LE() === crc32(json, crc32(row))
  const bytes = sound ? joined(codec, { json, row }) : undefined
  return {
    partition: firstPartition + partition,
    baseOffset: placeOf(message.offset),
    count: 1,
    bytes: bytes ?? json,
    appendedAt: Number(message.timestamp),
    ...readTrace(message),
    corrupt: bytes === undefined,
  }
}

function joined(codec: EventCodec, event: { json: Buffer; row: Buffer }): Uint8Array | undefined {
  try {
    return codec.join(event)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)
