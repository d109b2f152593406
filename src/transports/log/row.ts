import { crc32 } from 'node:zlib'

/**
 * A row of the log file: all records of one partition that one group commit took, packed as
 * `count u32, length u32, bytes` each (little endian), under one CRC-32. Few rows at any request rate.
 */
export interface PackedRow {
  readonly partition: number
  readonly baseOffset: number
  readonly count: number
  readonly bytes: Uint8Array
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

export function packRow(partition: number, baseOffset: number, entries: readonly Entry[]): PackedRow {
  const size = entries.reduce((sum, { bytes }) => sum + entryBytes(bytes), 0)
  // Slow: a buffer of its own, which can be handed to the worker without copying a shared pool.
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  let count = 0
  for (const entry of entries) {
    bytes.writeUInt32LE(entry.count, at)
    bytes.writeUInt32LE(entry.bytes.length, at + 4)
    bytes.set(entry.bytes, at + headerBytes)
    at += headerBytes + entry.bytes.length
    count += entry.count
  }
  return { partition, baseOffset, count, bytes }
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
