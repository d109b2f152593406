import { cachedJson, quote, toJson } from './json.ts'
import { type TimeUnit, toInstant } from './time.ts'

/** Where an event attribute comes from: the same text for every event, or a column. */
export type AttributeFrom = { readonly value: string } | { readonly column: string }

/** How a row becomes an event. Plain JSON: it is kept in the checkpoint, and a resumed load must have the same one. */
export interface Mapping {
  readonly type: AttributeFrom
  readonly source: AttributeFrom
  readonly subject?: AttributeFrom | undefined
  /** Column of the event's time. */
  readonly timeFrom?: string | undefined
  readonly timeUnit: TimeUnit
  /**
   * Time of rows without one, RFC 3339. Undefined: none is sent, and a row that comes again is found by its id alone. One that is
   * made up here would have to be the same whenever the file is loaded: an event is sought by its time, too.
   */
  readonly defaultTime?: string | undefined
  /** `prefix` plus the row's number, or the values of columns. */
  readonly id: { readonly prefix: string } | { readonly columns: readonly string[] }
  /** Columns that make up `data`; rest: those that no attribute took; all: every column. */
  readonly data: readonly string[] | 'rest' | 'all'
}

/** A row that cannot become an event. The load goes on without it and reports it. */
export class RowError extends Error {
  readonly code = 'ROW_MALFORMED'
}

export type Columns = readonly ArrayLike<unknown>[]
/**
 * Rows given as columns: `columns[c][i]` is the value of column c in row i. `raw` holds the values that attributes are
 * made of, where they differ from those for `data`: an id keeps the difference between 1.5 and 1.50.
 */
export type ColumnLine = (columns: Columns, i: number, row: number, raw?: Columns) => string
export type ObjectLine = (object: Readonly<Record<string, unknown>>, row: number) => string

const columnOf = (from: AttributeFrom | undefined): string[] => (from && 'column' in from ? [from.column] : [])

function taken(mapping: Mapping): Set<string> {
  const id = 'columns' in mapping.id ? mapping.id.columns : []
  const time = mapping.timeFrom === undefined ? [] : [mapping.timeFrom]
  return new Set([...columnOf(mapping.type), ...columnOf(mapping.source), ...columnOf(mapping.subject), ...time, ...id])
}

/** Names that the mapping mentions; a file with known columns must have them all. */
export function mentioned(mapping: Mapping): string[] {
  return [...new Set([...taken(mapping), ...(Array.isArray(mapping.data) ? (mapping.data as readonly string[]) : [])])]
}

/** One value of a composed id: `:` separates the parts, so it is escaped within them; null differs from empty. */
function idPart(value: unknown): string {
  if (value === null || value === undefined) return '%N'
  const text = typeof value === 'object' ? toJson(value) : String(value)
  return text.includes('%') || text.includes(':') ? text.replaceAll('%', '%25').replaceAll(':', '%3A') : text
}

function required(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') throw new RowError(`no value for ${name}`)
  return quote(String(value))
}

const missing = (value: unknown): boolean => value === null || value === undefined || value === ''

/** Compiles the mapping for a file whose columns are known beforehand. The line ends with a newline. */
export function columnLines(mapping: Mapping, names: readonly string[]): ColumnLine {
  for (const name of mentioned(mapping)) {
    if (!names.includes(name)) throw new Error(`the file has no column ${quote(name)}; it has: ${names.join(', ')}`)
  }
  const places = new Map(names.map((name, at) => [name, at]))
  const place = (name: string): number => places.get(name) ?? -1
  const envelope = envelopeOf(mapping)
  const used = taken(mapping)
  const dataNames =
    mapping.data === 'all' ? names : mapping.data === 'rest' ? names.filter((name) => !used.has(name)) : mapping.data
  const members = dataNames.map((name, n) => ({
    head: `${n === 0 ? '' : ','}${quote(name)}:`,
    at: place(name),
    json: cachedJson(),
  }))
  return (columns, i, row, raw = columns) => {
    let line = envelope((name) => raw[place(name)]?.[i], row)
    for (const member of members) line += member.head + member.json(columns[member.at]?.[i])
    return `${line}}}\n`
  }
}

/** The same for rows that are objects with members of their own, such as NDJSON lines. */
export function objectLines(mapping: Mapping): ObjectLine {
  const envelope = envelopeOf(mapping)
  const used = taken(mapping)
  const named = Array.isArray(mapping.data) ? (mapping.data as readonly string[]) : undefined
  return (object, row) => {
    const line = envelope((name) => object[name], row)
    const names =
      named ?? (mapping.data === 'all' ? Object.keys(object) : Object.keys(object).filter((n) => !used.has(n)))
    const members: string[] = []
    for (const name of names) {
      if (object[name] !== undefined) members.push(`${quote(name)}:${toJson(object[name])}`)
    }
    return `${line}${members.join(',')}}}\n`
  }
}

type Get = (name: string) => unknown

/** Everything before the members of `data`. Constant attributes are one prepared prefix. */
function envelopeOf(mapping: Mapping): (get: Get, row: number) => string {
  let prefix = '{"specversion":"1.0"'
  const moving: { name: string; column: string; optional: boolean }[] = []
  const attribute = (name: string, from: AttributeFrom, optional: boolean): void => {
    if ('value' in from) prefix += `,"${name}":${quote(from.value)}`
    else moving.push({ name, column: from.column, optional })
  }
  attribute('type', mapping.type, false)
  attribute('source', mapping.source, false)
  if (mapping.subject) attribute('subject', mapping.subject, true)

  const { id, timeFrom, timeUnit } = mapping
  const rowId = 'prefix' in id ? `${prefix},"id":${quote(id.prefix).slice(0, -1)}` : ''
  const columns = 'columns' in id ? id.columns : []
  const withoutTime = mapping.defaultTime === undefined ? '' : `,"time":${quote(mapping.defaultTime)}`
  const afterId = `${withoutTime},"data":{`
  const attributes = moving.map(({ name, column, optional }) => ({
    head: `,"${name}":`,
    name,
    column,
    optional,
    json: cachedJson(),
  }))

  return (get, row) => {
    let line =
      rowId === '' ? `${prefix},"id":${quote(columns.map((name) => idPart(get(name))).join(':'))}` : `${rowId}${row}"`
    for (const { head, name, column, optional, json } of attributes) {
      const value = get(column)
      if (optional && missing(value)) continue
      line += head + (typeof value === 'string' && value !== '' ? json(value) : required(name, value))
    }
    if (timeFrom === undefined) return line + afterId
    const time = toInstant(get(timeFrom), timeUnit)
    return line + (time === undefined ? afterId : `,"time":${quote(time)},"data":{`)
  }
}
