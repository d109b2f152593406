import { AppError, type ClickHouseParam } from '@splitstream/kernel'
import type { Filter, Scalar, TimeRange } from '../../contract/index.ts'

/** Collects the values of a statement: each becomes a placeholder, and none ever enters the text. */
export class Binder {
  readonly params: Record<string, ClickHouseParam> = {}
  #count = 0

  bind(value: ClickHouseParam, type: string): string {
    const name = `p${this.#count++}`
    this.params[name] = value
    return `{${name}:${type}}`
  }
}

/** Envelope attributes with a column of their own. The text here is the only source of column names. */
const columns: Readonly<Record<string, 'string' | 'time'>> = {
  id: 'string',
  source: 'string',
  type: 'string',
  subject: 'string',
  datacontenttype: 'string',
  dataschema: 'string',
  time: 'time',
  received: 'time',
}

/** A field as SQL: one expression for each type that its values may have; absent ones are NULL. */
export interface FieldSql {
  readonly string: string
  readonly number?: string
  readonly boolean?: string
  readonly isTime: boolean
  /** SQL of "the field is there". */
  readonly exists: string
}

/**
 * `data.a.b` reads the JSON column by typed subcolumn: numbers as numbers, strings as strings; a string that looks like a
 * number is a string. `ext.name` is an extension attribute. @throws AppError REQUEST_INVALID for a name that is no field
 */
export function fieldSql(field: string, binder: Binder): FieldSql {
  const column = Object.hasOwn(columns, field) ? columns[field] : undefined
  if (column === 'time') return { string: `toString(${field})`, isTime: true, exists: '1' }
  if (column === 'string') return { string: field, isTime: false, exists: `${field} != ''` }
  if (field.startsWith('ext.') && field.length > 4) {
    const name = binder.bind(field.slice(4), 'String')
    return {
      string: `nullIf(JSONExtractString(extensions, ${name}), '')`,
      isTime: false,
      exists: `JSONHas(extensions, ${name})`,
    }
  }
  if (field.startsWith('data.') && field.length > 5) {
    const path = field.slice(5).split('.')
    const subcolumn = `doc.${path.map(quoteSegment).join('.')}`
    const typed = (type: string): string => `${subcolumn}.:${type}`
    const segments = path.map((segment) => binder.bind(segment, 'String'))
    return {
      string: typed('String'),
      number: `coalesce(toFloat64(${typed('Int64')}), ${typed('Float64')})`,
      boolean: typed('Bool'),
      isTime: false,
      exists: `JSONType(data, ${segments.join(', ')}) != 'Null'`,
    }
  }
  throw new AppError(
    'REQUEST_INVALID',
    `There is no field ${JSON.stringify(field.slice(0, 100))}: use an event attribute, ext.<name> or data.<path>`,
  )
}

/**
 * A path is an identifier and cannot be bound (getSubcolumn() takes it as a value, but loses the type and reads five times
 * slower): it is quoted, and what could end or escape a quote is refused.
 */
function quoteSegment(segment: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (!/^[^\u0000-\u001f\u007f`\\]{1,256}$/.test(segment)) {
    throw new AppError(
      'REQUEST_INVALID',
      'A data path has an empty segment, or a control character, backtick or backslash',
    )
  }
  return `\`${segment}\``
}

const comparisons = { eq: '=', ne: '=', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

/**
 * One condition, never NULL. A missing field, or one of another type than the value, matches only `ne`, `nin` and
 * `exists: false`.
 */
export function filterSql(filter: Filter, binder: Binder): string {
  const field = fieldSql(filter.field, binder)
  const { op, value } = filter
  if (op === 'exists') return value === false ? `NOT (${field.exists})` : `(${field.exists})`
  if (op === 'in' || op === 'nin') {
    const list = Array.isArray(value) ? (value as readonly Scalar[]) : [value as Scalar]
    const any = list.map((one) => compare(field, filter.field, '=', one, binder)).join(' OR ') || '0'
    return op === 'in' ? `(${any})` : `NOT (${any})`
  }
  if (Array.isArray(value)) throw new AppError('REQUEST_INVALID', `${op} takes one value`)
  if (op === 'contains') {
    if (typeof value !== 'string') throw new AppError('REQUEST_INVALID', 'contains takes a string')
    return `coalesce(position(${field.string}, ${binder.bind(value, 'String')}) > 0, 0)`
  }
  const sql = compare(field, filter.field, comparisons[op], value as Scalar, binder)
  return op === 'ne' ? `NOT (${sql})` : sql
}

function compare(field: FieldSql, name: string, op: string, value: Scalar, binder: Binder): string {
  if (field.isTime) {
    if (typeof value !== 'string') throw new AppError('REQUEST_INVALID', `${name} is compared with an RFC 3339 instant`)
    return `${name} ${op} ${instant(value, binder)}`
  }
  const side = typeof value === 'string' ? field.string : typeof value === 'number' ? field.number : field.boolean
  if (side === undefined) return '0'
  const type = typeof value === 'string' ? 'String' : typeof value === 'number' ? 'Float64' : 'Bool'
  return `coalesce(${side} ${op} ${binder.bind(value, type)}, 0)`
}

/** @throws AppError REQUEST_INVALID */
function instant(text: string, binder: Binder): string {
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(ms))
    throw new AppError('REQUEST_INVALID', `${JSON.stringify(text.slice(0, 40))} is not an RFC 3339 instant`)
  const micros = Number((/\.(\d+)/.exec(text)?.[1] ?? '').slice(3, 6).padEnd(3, '0'))
  return `fromUnixTimestamp64Micro(${binder.bind(String(ms * 1000 + micros), 'Int64')}, 'UTC')`
}

/** The WHERE of every statement over events: the tenant first, in this one place. */
export function whereSql(tenant: string, range: TimeRange, filters: readonly Filter[], binder: Binder): string {
  const conditions = [`tenant = ${binder.bind(tenant, 'String')}`]
  if (range.from !== undefined) conditions.push(`time >= ${instant(range.from, binder)}`)
  if (range.to !== undefined) conditions.push(`time < ${instant(range.to, binder)}`)
  for (const filter of filters) conditions.push(filterSql(filter, binder))
  return conditions.join('\n  AND ')
}
