import { at, flagTimeAssigned, openRecord, type RecordView, stampRow } from '@splitstream/ingest/contract'
import type { LogRecord } from '@splitstream/kernel'
import { Rows, type Run } from './rows.ts'
import { maxSkew, type SeenIndex, type TimeKind, timeKind, type Verdict } from './seen-index.ts'

/**
 * A block: a contiguous offset range of one log partition, the unit that is pending, inserted and confirmed. Its rows are
 * views into the log's records; nothing is copied or parsed.
 */
export interface Block {
  readonly partition: number
  readonly first: number
  readonly last: number
  readonly rows: Rows
  /** Records that cannot be read: their checksum or form is wrong. */
  readonly damaged: readonly LogRecord[]
}

/** Rows of `records` whose offsets lie in first … last, stamped with their place in the log. */
export function cutBlock(partition: number, first: number, last: number, records: readonly LogRecord[]): Block {
  const runs: Run[] = []
  const damaged: LogRecord[] = []
  for (const log of records) {
    const record = log.corrupt ? undefined : open(log)
    if (!record) {
      damaged.push(log)
      continue
    }
    const base = log.baseOffset
    const from = Math.max(0, first - base)
    const to = Math.min(record.count, last + 1 - base)
    for (let index = from; index < to; index++) stampRow(record, index, partition, base + index)
    if (from < to) runs.push({ record, base, from, to })
  }
  return { partition, first, last, rows: new Rows(runs), damaged }
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

/** The lower half of a row's 64-bit key, read in place. */
export function keyLow({ view, starts }: RecordView, index: number): number {
  return view.getUint32(starts[index]! + at.key, true)
}

function keyHigh({ view, starts }: RecordView, index: number): number {
  return view.getUint32(starts[index]! + at.key + 4, true)
}

function timeKindOf({ bytes, view, starts }: RecordView, index: number, time: number): TimeKind {
  const start = starts[index]!
  if ((bytes[start + at.flags]! & flagTimeAssigned) !== 0) return timeKind.untimed
  return time > micros(view, start + at.received) + maxSkew ? timeKind.ahead : timeKind.own
}

function micros(view: DataView, start: number): number {
  return view.getInt32(start + 4, true) * 2 ** 32 + view.getUint32(start, true)
}

/** Readies the index for being told of the row. */
export function touch(seen: SeenIndex, record: RecordView, index: number): void {
  seen.touch(keyLow(record, index), keyHigh(record, index))
}

/** Tells the index of the event of a row of this partition. */
export function tell(seen: SeenIndex, record: RecordView, index: number, partition: number): Verdict {
  const time = micros(record.view, record.starts[index]! + at.time)
  return seen.add(keyLow(record, index), keyHigh(record, index), time, timeKindOf(record, index, time), partition)
}

/** Below this many bytes, views of single rows cost more (an object, a write to the socket) than copying them. */
const worthAView = 4096

/** The rows as RowBinary: views of the records, one for each run; what is small is copied together. */
export function bodyOf({ runs }: Rows): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let small = Buffer.alloc(0)
  let used = 0
  for (const run of runs) {
    const { bytes, starts } = run.record
    const [from, to] = [starts[run.from]!, starts[run.to]!]
    if (to - from >= worthAView) {
      if (used > 0) chunks.push(small.subarray(0, used))
      small = small.subarray(used)
      used = 0
      chunks.push(bytes.subarray(from, to))
      continue
    }
    if (used + to - from > small.length) {
      if (used > 0) chunks.push(small.subarray(0, used))
      small = Buffer.allocUnsafeSlow(64 << 10)
      used = 0
    }
    small.set(bytes.subarray(from, to), used)
    used += to - from
  }
  if (used > 0) chunks.push(small.subarray(0, used))
  return chunks
}
