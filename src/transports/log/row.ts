import { crc32 } from 'node:zlib'
import type { LogAppend } from '@splitstream/kernel'

/**
 * A row of the log file: all records of one partition that one group commit took, packed as
 * `count u32, length u32, bytes` each (little endian), under one CRC-32. Few rows at any request rate.
 */
export interface PackedRow {
  readonly partition: number
  readonly baseOffset: number
  readonly count: number
  /** Its bytes, in order. Nobody else has their buffers: they are handed to the worker. */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[]
  readonly size: number
}

export interface Entry {
  readonly count: number
  readonly bytes: Uint8Array
}

/** Trace context of the append that made the record at this offset. Few records have one; they are kept apart from the rows. */
export interface RecordTrace {
  readonly partition: number
  readonly baseOffset: number
  readonly traceparent: string
}

const headerBytes = 8

/** What a record takes of its row. */
export const entryBytes = (bytes: Uint8Array): number => headerBytes + bytes.length

export type Appended = Entry & Pick<LogAppend, 'transfer'>

/** Records from this size on are handed over as they are; smaller ones cost less when they are copied together. */
const handedOver = 32 << 10

const isHandedOver = ({ bytes, transfer }: Appended): boolean =>
  transfer === true &&
  bytes.length >= handedOver &&
  bytes.buffer instanceof ArrayBuffer &&
  bytes.byteLength === bytes.buffer.byteLength

export function packRow(partition: number, baseOffset: number, entries: readonly Appended[]): PackedRow {
  const size = entries.reduce((sum, { bytes }) => sum + entryBytes(bytes), 0)
  const apart = entries.reduce((sum, entry) => sum + (isHandedOver(entry) ? entry.bytes.length : 0), 0)
  // Slow: a buffer of its own, which can be handed over without a shared pool.
  const joined = Buffer.allocUnsafeSlow(size - apart)
  const pieces: Uint8Array<ArrayBuffer>[] = []
  let from = 0
  let at = 0
  let count = 0
  for (const entry of entries) {
    joined.writeUInt32LE(entry.count, at)
    joined.writeUInt32LE(entry.bytes.length, at + 4)
    at += headerBytes
    if (isHandedOver(entry)) {
      pieces.push(joined.subarray(from, at), entry.bytes as Uint8Array<ArrayBuffer>)
      from = at
    } else {
      joined.set(entry.bytes, at)
      at += entry.bytes.length
    }
    count += entry.count
  }
  if (at > from) pieces.push(joined.subarray(from, at))
  return { partition, baseOffset, count, pieces, size }
}

/** What the pieces of rows lie in, for the transfer to another thread. */
export const buffersOf = (rows: readonly PackedRow[]): ArrayBuffer[] => [
  ...new Set(rows.flatMap(({ pieces }) => pieces.map(({ buffer }) => buffer))),
]

/** Joins the pieces of rows, one row at a time, in a buffer that they share: what comes out is good until the next. */
export class RowJoiner {
  #buffer = Buffer.alloc(0)

  join({ pieces, size }: PackedRow): Uint8Array {
    if (pieces.length === 1) return pieces[0]!
    if (size > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(size)
    let at = 0
    for (const piece of pieces) {
      this.#buffer.set(piece, at)
      at += piece.length
    }
    return this.#buffer.subarray(0, size)
  }
}

/** The records of a row, as views of it, with the offset of each. */
export function* unpackRow(baseOffset: number, bytes: Uint8Array): Generator<Entry & { readonly baseOffset: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.length; ) {
    const count = view.getUint32(at, true)
    const start = at + headerBytes
    at = start + view.getUint32(at + 4, true)
    yield { baseOffset, count, bytes: bytes.subarray(start, at) }
    baseOffset += count
  }
}

export const checksum = (bytes: Uint8Array): number => crc32(bytes)
