import { dataKind, type EventRow } from './record.ts'

/** RFC 3339, UTC; a fraction of 0, 3 or 6 digits, as needed. `micros`: microseconds since the Unix epoch. */
export function formatTime(micros: number): string {
  const ms = Math.floor(micros / 1000)
  const rest = micros - ms * 1000
  const iso = new Date(ms).toISOString()
  if (rest !== 0) return `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`
  return iso.endsWith('.000Z') ? `${iso.slice(0, -5)}Z` : iso
}

/** The event in CloudEvents 1.0 JSON, its JSON data spliced in as received. */
export function cloudEventText(row: EventRow): string {
  const envelope: Record<string, unknown> = { specversion: '1.0', id: row.id, source: row.source, type: row.type }
  if (row.subject !== '') envelope.subject = row.subject
  if (!row.timeAssigned) envelope.time = formatTime(row.time)
  if (row.datacontenttype !== '') envelope.datacontenttype = row.datacontenttype
  if (row.dataschema !== '') envelope.dataschema = row.dataschema
  let text = JSON.stringify(envelope).slice(0, -1)
  if (row.extensions !== '') text += `,${row.extensions.slice(1, -1)}`
  if (row.kind === dataKind.json) text += `,"data":${row.data}`
  if (row.kind === dataKind.text) text += `,"data":${JSON.stringify(row.data)}`
  if (row.kind === dataKind.binary) text += `,"data_base64":${JSON.stringify(row.data)}`
  return `${text}}`
}
