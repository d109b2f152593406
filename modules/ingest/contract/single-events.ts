import { cloudEventText } from './cloud-event.ts'
import {
  at,
  type DataKind,
  dataKind,
  decodeRow,
  openRecord,
  type RecordView,
  readString,
  recordHeaderBytes,
  recordVersion,
} from './record.ts'

/** One event of a record, in a form that everybody reads, and what it takes to make the very same row of it again. */
export interface SingleEvent {
  readonly tenant: string
  /** CloudEvents 1.0 in JSON, UTF-8. */
  readonly json: Uint8Array
  /** The row up to the bytes of its data, which are those in `json`; the whole row where they are not. */
  readonly row: Uint8Array
}

/** Strings of a row before `data`. */
const namedStrings = 8
/** The latest time that there is a date for, ms. */
const maxDateMs = 8.64e15

/**
 * Each event of a record by itself, in order.
 * @throws RangeError at once when it is not a record of rows that this build reads
 */
export function splitEvents(bytes: Uint8Array): { readonly count: number; readonly events: Iterable<SingleEvent> } {
  const record = openRecord(bytes)
  for (let i = 0; i < record.count; i++) checkRow(record, i)
  return { count: record.count, events: eachEvent(record) }
}

function* eachEvent(record: RecordView): Generator<SingleEvent> {
  for (let i = 0; i < record.count; i++) {
    const event = decodeRow(record, i)
    const json = Buffer.from(cloudEventText(event))
    const row = record.bytes.subarray(record.starts[i], record.starts[i + 1])
    const data = dataOf(row)
    const inJson = dataIn(json, event.kind, data.end - data.start)
    const same = inJson && Buffer.compare(inJson, row.subarray(data.start, data.end)) === 0
    yield { tenant: event.tenant, json, row: same ? row.subarray(0, data.start) : row }
  }
}

/** A record of the one event. @throws RangeError when the two do not belong together */
export function joinEvent({ json, row }: Pick<SingleEvent, 'json' | 'row'>): Uint8Array {
  if (row.length < at.strings) throw new RangeError('a row is cut short')
  const data = dataOf(row)
  const missing = data.end - row.length
  const rest = missing === 0 ? new Uint8Array(0) : dataIn(json, row[at.kind] as DataKind, missing)
  if (!rest || (missing !== 0 && row.length !== data.start)) throw new RangeError('a row has other data than its event')
  const header = recordHeaderBytes(1)
  const record = Buffer.allocUnsafeSlow(header + data.end)
  record[0] = recordVersion
  record.writeUInt32LE(1, 1)
  record.writeUInt32LE(data.end, 5)
  record.set(row, header)
  record.set(rest, header + row.length)
  return record
}

/** Where the data of a row is, or would be. @throws RangeError when its strings are not in order */
function dataOf(row: Uint8Array): { readonly start: number; readonly end: number } {
  const text = { start: 0, end: at.strings }
  for (let i = 0; i < namedStrings; i++) readString(row, text.end, row.length, text)
  // The data itself may be elsewhere: its end is not held against that of the row.
  readString(row, text.end, Number.POSITIVE_INFINITY, text)
  return text
}

/** The data is what an event in JSON ends with (cloudEventText). Text is escaped there, so it is not to be found. */
function dataIn(json: Uint8Array, kind: DataKind, length: number): Uint8Array | undefined {
  const behind = { [dataKind.none]: 1, [dataKind.json]: 1, [dataKind.binary]: 2 }[kind as 0 | 1 | 3]
  if (behind === undefined || length + behind > json.length) return undefined
  return json.subarray(json.length - behind - length, json.length - behind)
}

function checkRow(record: RecordView, i: number): void {
  const row = record.bytes.subarray(record.starts[i], record.starts[i + 1])
  if (row.length < at.strings || dataOf(row).end !== row.length) throw new RangeError('a row has another length')
  for (const field of [at.time, at.received]) {
    const micros = Number(record.view.getBigInt64(record.starts[i]! + field, true))
    if (Math.abs(micros) > maxDateMs * 1000) throw new RangeError('a row has a time that is no date')
  }
}
