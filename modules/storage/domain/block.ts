import { at, flagTimeAssigned, openRecord, type RecordView, stampRow } from '@splitstream/ingest/contract'
import type { LogRecord } from '@splitstream/kernel'
import { maxSkew, type SeenIndex, type TimeKind, timeKind, type Verdict } from './seen-index.ts'

/**
 * A block: a contiguous offset range of one log partition, the unit that is pending, inserted and confirmed. Its rows are
 * views into the log's records; nothing is copied or parsed.
 */
export interface Block {
  readonly partition: number
  readonly first: number
  readonly last: number
  readonly rows: readonly BlockRow[]
  /** Records that cannot be read: their checksum or form is wrong. */
  readonly damaged: readonly LogRecord[]
}

/** One event of a block. */
export interface BlockRow {
  readonly record: RecordView
  readonly index: number
  readonly offset: number
}

/** Rows of `records` whose offsets lie in first … last, stamped with their place in the log. */
export function cutBlock(partition: number, first: number, last: number, records: readonly LogRecord[]): Block {
  const rows: BlockRow[] = []
  const damaged: LogRecord[] = []
  for (const log of records) {
    const record = log.corrupt ? undefined : open(log)
    if (!record) {
      damaged.push(log)
      continue
    }
    for (let index = 0; index < record.count; index++) {
      const offset = log.baseOffset + index
      if (offset < first || offset > last) continue
      stampRow(record, index, partition, offset)
      rows.push({ record, index, offset })
    }
  }
  return { partition, first, last, rows, damaged }
}

function open(log: LogRecord): RecordView | undefined {
  try {
    const record = openRecord(log.bytes)
    return record.count === log.count ? record : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** The halves of a row's 64-bit key and its time (µs), read in place. */
export function keyLow(row: BlockRow): number {
  return row.record.view.getUint32(row.record.starts[row.index]! + at.key, true)
}

export function keyHigh(row: BlockRow): number {
  return row.record.view.getUint32(row.record.starts[row.index]! + at.key + 4, true)
}

export function timeOf(row: BlockRow): number {
  return micros(row.record.view, row.record.starts[row.index]! + at.time)
}

function timeKindOf({ record, index }: BlockRow, time: number): TimeKind {
  const start = record.starts[index]!
  if ((record.bytes[start + at.flags]! & flagTimeAssigned) !== 0) return timeKind.untimed
  return time > micros(record.view, start + at.received) + maxSkew ? timeKind.ahead : timeKind.own
}

function micros(view: DataView, start: number): number {
  return view.getInt32(start + 4, true) * 2 ** 32 + view.getUint32(start, true)
}

/** Tells the index of the event of a row of this partition. */
export function tell(index: SeenIndex, row: BlockRow, partition: number): Verdict {
  const time = timeOf(row)
  return index.add(keyLow(row), keyHigh(row), time, timeKindOf(row, time), partition)
}

/** Below this many bytes, views of single rows cost more (an object, a write to the socket) than copying them. */
const worthAView = 4096

/** The rows as RowBinary: views of the records, one for each run of neighbouring rows; what is small is copied together. */
export function bodyOf(rows: readonly BlockRow[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let small = Buffer.alloc(0)
  let used = 0
  for (let i = 0; i < rows.length; ) {
    const { record, index } = rows[i]!
    let end = index + 1
    for (i++; i < rows.length && rows[i]!.record === record && rows[i]!.index === end; i++) end++
    const from = record.starts[index]!
    const to = record.starts[end]!
    if (to - from >= worthAView) {
      if (used > 0) chunks.push(small.subarray(0, used))
      small = small.subarray(used)
      used = 0
      chunks.push(record.bytes.subarray(from, to))
      continue
    }
    if (used + to - from > small.length) {
      if (used > 0) chunks.push(small.subarray(0, used))
      small = Buffer.allocUnsafeSlow(64 << 10)
      used = 0
    }
    small.set(record.bytes.subarray(from, to), used)
    used += to - from
  }
  if (used > 0) chunks.push(small.subarray(0, used))
  return chunks
}
