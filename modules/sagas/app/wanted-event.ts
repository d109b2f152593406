import { cloudEventText, decodeRow, type EventRow, openRecord, type RowFilter } from '@splitstream/ingest/contract'
import type { LogRecord } from '@splitstream/kernel'
import type { Json } from '../domain/json.ts'
import type { Interest } from './interests.ts'

/** An event that starts sagas, or that steps may wait for. */
export interface WantedEvent {
  readonly tenant: string
  readonly source: string
  readonly id: string
  /** `<source> <id>` */
  readonly name: string
  /** ms since the epoch. */
  readonly receivedAt: number
  /** CloudEvents JSON. */
  readonly text: string
  readonly interest: Interest
  /** W3C Trace Context of the append, when that was traced. */
  readonly traceparent?: string | undefined
  /** The same as `text`. */
  json(): { readonly [name: string]: Json }
}

/**
 * The events among the records that somebody wants, from the offset `next` on.
 * @param onDamaged told of records that cannot be read; nobody can say what events they held
 */
export function wantedEvents(
  records: readonly LogRecord[],
  filter: RowFilter<Interest>,
  next: number,
  onDamaged: (record: LogRecord) => void,
): WantedEvent[] {
  return records.flatMap((record) => {
    try {
      if (!record.corrupt) return eventsOf(record, filter, next)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    onDamaged(record)
    return []
  })
}

function eventsOf(
  { bytes, baseOffset, traceparent }: LogRecord,
  filter: RowFilter<Interest>,
  next: number,
): WantedEvent[] {
  const record = openRecord(bytes)
  const found: WantedEvent[] = []
  for (const [index, interest] of filter.find(record, Math.max(0, next - baseOffset))) {
    found.push(wanted(decodeRow(record, index), interest, traceparent))
  }
  return found
}

function wanted(row: EventRow, interest: Interest, traceparent: string | undefined): WantedEvent {
  const { tenant, source, id } = row
  const text = cloudEventText(row)
  let json: { readonly [name: string]: Json } | undefined
  return {
    ...{ tenant, source, id, name: `${source} ${id}`, text, interest, traceparent },
    receivedAt: Math.floor(row.received / 1000),
    json: () => {
      json ??= JSON.parse(text) as { readonly [name: string]: Json }
      return json
    },
  }
}
