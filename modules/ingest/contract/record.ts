/**
 * The record that ingest appends to the log and that storage and sagas read: a batch of events of one partition, each
 * already in the form in which ClickHouse takes it (format RowBinary), so that nothing is parsed twice.
 *
 *   byte 0        version, 1
 *   bytes 1-4     n, number of events (u32, little endian, as all numbers here)
 *   then n × u32  length of each row in bytes
 *   then n rows   RowBinary in the order of `rowColumns`
 *
 * A row starts with 38 fixed bytes at known places (`at`), then nine strings (LEB128 length, UTF-8 bytes). The log
 * partition and offset are zero in the log: the reader knows them from the record's place and fills them in before the
 * insert (`stampRow`). Everything else is final when it is acknowledged: no value is computed after the log.
 */
export const recordVersion = 1

export const rowColumns = [
  '_log_partition', // UInt32
  '_log_offset', // UInt64
  '_key', // UInt64, eventKey(tenant, source, id)
  'time', // DateTime64(6), microseconds UTC
  'received', // DateTime64(6), when ingest accepted it
  'kind', // UInt8, DataKind
  'flags', // UInt8, flagTimeAssigned
  'tenant',
  'id',
  'source',
  'type',
  'subject', // '' when absent
  'datacontenttype', // '' when absent
  'dataschema', // '' when absent
  'extensions', // JSON object of the extension attributes, '' when none
  'data', // JSON text as received; or text; or base64 text of binary data
] as const

/** Offsets of the fixed fields within a row. */
export const at = {
  partition: 0,
  offset: 4,
  key: 12,
  time: 20,
  received: 28,
  kind: 36,
  flags: 37,
  strings: 38,
} as const

/** What `data` holds. */
export const dataKind = { none: 0, json: 1, text: 2, binary: 3 } as const
export type DataKind = (typeof dataKind)[keyof typeof dataKind]

/** The event came without a time; `time` equals `received`. */
export const flagTimeAssigned = 1

export const recordHeaderBytes = (count: number): number => 5 + 4 * count

/** A record opened for reading; rows are views into the record's bytes. */
export interface RecordView {
  readonly count: number
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Start of row i within `bytes`; `starts[count]` is the end of the last row. */
  readonly starts: Uint32Array
}

/** @throws RangeError when the bytes are not a record of a version that this build reads. */
export function openRecord(bytes: Uint8Array): RecordView {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength < 5 || bytes[0] !== recordVersion) throw new RangeError('not a version 1 event record')
  const count = view.getUint32(1, true)
  let start = recordHeaderBytes(count)
  if (start > bytes.byteLength) throw new RangeError('event record is cut short')
  const starts = new Uint32Array(count + 1)
  for (let i = 0; i < count; i++) {
    starts[i] = start
    start += view.getUint32(5 + 4 * i, true)
  }
  starts[count] = start
  if (start !== bytes.byteLength) throw new RangeError('event record has another length than its header says')
  return { count, bytes, view, starts }
}

/** Writes the event's place in the log into its row. */
export function stampRow(record: RecordView, index: number, partition: number, offset: number): void {
  const start = record.starts[index]!
  record.view.setUint32(start + at.partition, partition, true)
  record.view.setUint32(start + at.offset, offset >>> 0, true)
  record.view.setUint32(start + at.offset + 4, Math.floor(offset / 2 ** 32), true)
}

/** One event, decoded. Times are microseconds since the Unix epoch. */
export interface EventRow {
  key: bigint
  time: number
  received: number
  timeAssigned: boolean
  kind: DataKind
  tenant: string
  id: string
  source: string
  type: string
  subject: string
  datacontenttype: string
  dataschema: string
  extensions: string
  data: string
}

/** Writes into `text` where the string column that begins at `from` has its text. @throws RangeError beyond `end` */
export function readString(bytes: Uint8Array, from: number, end: number, text: { start: number; end: number }): void {
  let p = from
  let length = 0
  for (let shift = 0; ; shift += 7) {
    if (p >= end || shift > 28) throw new RangeError('an event record has a string without an end')
    const byte = bytes[p++]!
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (p + length > end) throw new RangeError('a string of an event record is longer than its row')
  text.start = p
  text.end = p + length
}

const utf8 = new TextDecoder('utf-8')

/** Decodes row `index` of a record. @throws RangeError when a string reaches beyond the row. */
export function decodeRow(record: RecordView, index: number): EventRow {
  const start = record.starts[index]!
  const end = record.starts[index + 1]!
  const text = { start: 0, end: start + at.strings }
  const string = (): string => {
    readString(record.bytes, text.end, end, text)
    return utf8.decode(record.bytes.subarray(text.start, text.end))
  }
  return {
    key: record.view.getBigUint64(start + at.key, true),
    time: Number(record.view.getBigInt64(start + at.time, true)),
    received: Number(record.view.getBigInt64(start + at.received, true)),
    timeAssigned: (record.bytes[start + at.flags]! & flagTimeAssigned) !== 0,
    kind: record.bytes[start + at.kind] as DataKind,
    tenant: string(),
    id: string(),
    source: string(),
    type: string(),
    subject: string(),
    datacontenttype: string(),
    dataschema: string(),
    extensions: string(),
    data: string(),
  }
}
