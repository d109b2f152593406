import type { LogRange } from '@splitstream/kernel'
import type { Message } from 'kafkajs'
import { firstPartition, placeOf } from './places.ts'
import type { Outgoing } from './record.ts'

/** A record of the topic, and how many events it holds. */
export interface Encoded {
  readonly message: Message
  readonly events: number
}

/** The records of the topic that a record of the log becomes: one, or one for each of its events. */
export type Encode = (partition: number, record: Outgoing) => Iterable<Encoded>

/** Bytes of one send; a record that is larger goes alone. */
const maxBytes = 4 << 20
/** Records of one send: kafkajs encodes them in one go, 10 to 20 µs each, and requests wait meanwhile. */
const maxRecords = 1_000

/** What goes to Kafka at once. */
interface Send {
  readonly messages: readonly Message[]
  /** Told the offset of the first message; the others follow it without a gap. */
  placed(base: number): void
}

/**
 * Writes records in their order, in as many sends as they need. Made as they go, so that no more than one send is in memory
 * beside the records themselves.
 * @param send gives the Kafka offset of the first message
 * @returns where each record is: from its first event to its last. Others may have written in between
 * @throws what `send` throws: then some of it may be written
 */
export async function write(
  partition: number,
  records: readonly Outgoing[],
  encode: Encode,
  send: (messages: readonly Message[]) => Promise<string>,
): Promise<LogRange[]> {
  const ranges: LogRange[] = []
  for (const { messages, placed } of sendsOf(partition, records, encode, ranges)) placed(Number(await send(messages)))
  return ranges
}

function* sendsOf(
  partition: number,
  records: readonly Outgoing[],
  encode: Encode,
  ranges: LogRange[],
): Generator<Send, void> {
  let parts: { readonly message: Message; readonly events: number; readonly of: number }[] = []
  let bytes = 0
  const take = (): Send => {
    const taken = parts
    parts = []
    bytes = 0
    const placed = (base: number): void => {
      for (const [i, { of, events }] of taken.entries()) {
        const place = placeOf(base + i)
        ranges[of] = {
          partition: firstPartition + partition,
          first: ranges[of]?.first ?? place,
          last: place + events - 1,
        }
      }
    }
    return { messages: taken.map(({ message }) => message), placed }
  }
  for (const [of, record] of records.entries()) {
    for (const { message, events } of encode(partition, record)) {
      const size = sizeOf(message)
      if (parts.length > 0 && (parts.length >= maxRecords || bytes + size > maxBytes)) yield take()
      parts.push({ message, events, of })
      bytes += size
    }
  }
  if (parts.length > 0) yield take()
}

/** About; framing and short headers are a few dozen bytes. */
export function sizeOf({ value, headers }: Message): number {
  let size = (value?.length ?? 0) + 100
  for (const header of Object.values(headers ?? {})) size += header?.length ?? 0
  return size
}
