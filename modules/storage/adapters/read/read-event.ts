import { dataKind, formatTime } from '@splitstream/ingest/contract'
import type { CloudEvent, ListPlace } from '../../contract/index.ts'

/** A row of a listing as the engine gives it. */
export interface ListedRow {
  readonly at: string
  readonly key: string
  readonly partition: string
  readonly offset: string
  readonly kind: number
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly datacontenttype: string
  readonly dataschema: string
  readonly extensions: string
  readonly data: string
}

/** The CloudEvent as it came; one that came without a time has the time of its acceptance. */
export function readEvent(row: ListedRow): CloudEvent {
  const event: Record<string, unknown> = { specversion: '1.0', id: row.id, source: row.source, type: row.type }
  if (row.subject !== '') event.subject = row.subject
  event.time = formatTime(Number(row.at))
  if (row.datacontenttype !== '') event.datacontenttype = row.datacontenttype
  if (row.dataschema !== '') event.dataschema = row.dataschema
  const extensions: unknown = row.extensions === '' ? {} : JSON.parse(row.extensions)
  const data =
    row.kind === dataKind.json
      ? { data: JSON.parse(row.data) as unknown }
      : row.kind === dataKind.text
        ? { data: row.data }
        : row.kind === dataKind.binary
          ? { data_base64: row.data }
          : {}
  return { ...event, ...(extensions as object), ...data }
}

export function placeOf({ at, key, partition, offset }: ListedRow): ListPlace {
  return { time: at, key, partition, offset }
}
