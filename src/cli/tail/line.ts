import { printable } from '../table.ts'

type CloudEvent = Readonly<Record<string, unknown>>

/** An event as one line for people: time, type, source, subject, data; cut to `columns` characters, 0 for no limit. */
export function lineOf(event: CloudEvent, columns: number): string {
  const data = event.data === undefined ? event.data_base64 : JSON.stringify(event.data)
  const parts = [event.time, event.type, event.source, event.subject, data]
  const line = parts
    .filter((part) => part !== undefined)
    .map((part) => printable(String(part)))
    .join('  ')
  return columns > 0 && line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}
