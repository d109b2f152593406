import { formatTime } from '@splitstream/ingest/contract'
import type { AggregateInput, Column } from '../../contract/index.ts'
import { bucketStart } from './buckets.ts'
import type { OutputColumn } from './compile-aggregate.ts'

type EngineRow = Readonly<Record<string, unknown>>

/** The engine's rows as the rows of the answer: natural JSON values, RFC 3339 times, big integers as texts. */
export function readTable(
  rows: readonly EngineRow[],
  columns: readonly OutputColumn[],
  interval: AggregateInput['interval'],
): { columns: Column[]; rows: Record<string, unknown>[] } {
  const table = rows.map((row) =>
    // fromEntries defines own members, whatever their names are.
    Object.fromEntries(columns.map((column) => [column.name, cellValue(row, column, interval)])),
  )
  return { columns: columns.map((column) => ({ name: column.name, type: typeOf(column, table) })), rows: table }
}

function cellValue(row: EngineRow, column: OutputColumn, interval: AggregateInput['interval']): unknown {
  const part = (name: string): unknown => row[`${column.prefix}${name}`]
  if (column.kind === 'bucket' && interval) return bucketStart(interval, Number(part('num')))
  if (column.exact && Number(part('y')) === 0) return safe(String(part('x')))
  for (const name of column.parts) {
    const value = part(name)
    if (value === null || value === undefined) continue
    if (name === 'time') return formatTime(Number(value))
    return name === 'num' ? (typeof value === 'string' ? safe(value) : value) : value
  }
  return null
}

/** A decimal integer as a number where a double holds it. */
function safe(integer: string): number | string {
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}

function typeOf({ name, kind, parts }: OutputColumn, rows: readonly EngineRow[]): Column['type'] {
  if (kind === 'bucket' || parts[0] === 'time') return 'time'
  if (parts.length === 1) return parts[0] === 'num' ? 'number' : 'string'
  const types = new Set(rows.map((row) => typeof row[name]).filter((type) => type !== 'object'))
  const [only] = types
  return types.size === 1 && (only === 'string' || only === 'number' || only === 'boolean') ? only : 'json'
}
