import { openRecord, type RecordView, recordHeaderBytes, recordVersion } from './record.ts'

export interface RecordLimits {
  readonly maxBytes: number
  readonly maxEvents: number
}

/** A record, or a part of one. */
export interface RecordPart {
  readonly count: number
  readonly bytes: Uint8Array
}

/**
 * Cuts a record between its events into records that keep to the limits: the same events in the same order.
 * @throws RangeError when it is not a record, or an event alone is beyond the limits
 */
export function splitRecord(bytes: Uint8Array, limits: RecordLimits): RecordPart[] {
  const record = openRecord(bytes)
  const parts: RecordPart[] = []
  for (let first = 0; first < record.count; ) {
    const end = endOfPart(record, first, limits)
    if (end === first) {
      const size = record.starts[first + 1]! - record.starts[first]!
      throw new RangeError(`an event has ${size} bytes, more than a record may have`)
    }
    parts.push({ count: end - first, bytes: cut(record, first, end) })
    first = end
  }
  return parts
}

/** The first event that does not go with those from `first` on. */
function endOfPart({ count, starts }: RecordView, first: number, { maxBytes, maxEvents }: RecordLimits): number {
  let end = first
  while (end < count && end - first < maxEvents) {
    const size = recordHeaderBytes(end + 1 - first) + starts[end + 1]! - starts[first]!
    if (size > maxBytes) break
    end++
  }
  return end
}

function cut({ bytes, starts }: RecordView, first: number, end: number): Uint8Array {
  const rows = bytes.subarray(starts[first], starts[end])
  const header = recordHeaderBytes(end - first)
  const part = Buffer.allocUnsafe(header + rows.length)
  part[0] = recordVersion
  part.writeUInt32LE(end - first, 1)
  for (let i = first; i < end; i++) part.writeUInt32LE(starts[i + 1]! - starts[i]!, 5 + 4 * (i - first))
  part.set(rows, header)
  return part
}
