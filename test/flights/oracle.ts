import type { Flights } from './columns.ts'

/*
 * Answers queries about the flights from the columns of the file, in plain loops: no SQL, no engine, none of the product's
 * code. It takes the query that is sent to the server, so that a case is one query and there is nothing to keep in step.
 */
export type Value = string | number | boolean
export type Op = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'in' | 'nin' | 'contains' | 'exists'

export interface Condition {
  readonly field: string
  readonly op: Op
  readonly value: Value | readonly Value[]
}

export interface Query {
  readonly measures: readonly { fn: string; field?: string; q?: number; as: string }[]
  readonly groupBy?: readonly string[]
  readonly interval?: '1h' | '6h' | '1d' | '1w' | '1M'
  readonly range?: { readonly from?: string; readonly to?: string }
  readonly filters?: readonly Condition[]
  readonly having?: readonly Condition[]
  readonly orderBy?: readonly { by: string; dir: 'asc' | 'desc' }[]
  readonly limit?: number
}

export type Row = Record<string, Value | null>

const hour = 3_600_000
const day = 24 * hour

/** The value of a field in a row; undefined: there is none. */
export function fieldOf(flights: Flights, field: string): (i: number) => Value | undefined {
  const { time, delay, distance, origin, destination } = flights
  switch (field) {
    case 'type':
      return () => 'flight'
    case 'source':
      return () => '/flights/us'
    case 'id':
      return (i) => i // an id for each row: which one does not matter to the questions
    case 'time':
      return (i) => time[i]
    case 'data.delay':
      return (i) => delay[i]
    case 'data.distance':
      return (i) => distance[i]
    case 'subject':
    case 'data.origin':
      return (i) => origin.texts[origin.codes[i]!]
    case 'data.destination':
      return (i) => destination.texts[destination.codes[i]!]
    default:
      return () => undefined
  }
}

/** A value that is missing meets ne, nin and exists: false, and nothing else. Two kinds of values are never in an order. */
export function meets(value: Value | null | undefined, { op, value: wanted }: Condition): boolean {
  if (op === 'exists') return (value !== undefined && value !== null) === wanted
  if (value === undefined || value === null) return op === 'ne' || op === 'nin'
  if (op === 'in') return (wanted as readonly Value[]).includes(value)
  if (op === 'nin') return !(wanted as readonly Value[]).includes(value)
  if (op === 'contains') return typeof value === 'string' && value.includes(String(wanted))
  if (op === 'eq') return value === wanted
  if (op === 'ne') return value !== wanted
  const other = wanted as Value
  if (typeof value !== typeof other) return false
  if (op === 'lt') return value < other
  if (op === 'lte') return value <= other
  if (op === 'gt') return value > other
  return value >= other
}

/** Rows that are in the range and meet all filters, in the order of the file. */
export function select(flights: Flights, query: Pick<Query, 'range' | 'filters'>): number[] {
  const from = query.range?.from === undefined ? -Infinity : Date.parse(query.range.from)
  const to = query.range?.to === undefined ? Infinity : Date.parse(query.range.to)
  const tests = (query.filters ?? []).map((condition) => ({ condition, get: fieldOf(flights, condition.field) }))
  const rows: number[] = []
  for (let i = 0; i < flights.rows; i++) {
    const time = flights.time[i]!
    if (time >= from && time < to && tests.every(({ condition, get }) => meets(get(i), condition))) rows.push(i)
  }
  return rows
}

/** Start of the bucket in UTC, ms. Weeks begin on Monday. */
export function bucketStart(time: number, interval: NonNullable<Query['interval']>): number {
  if (interval === '1h') return Math.floor(time / hour) * hour
  if (interval === '6h') return Math.floor(time / (6 * hour)) * 6 * hour
  if (interval === '1d') return Math.floor(time / day) * day
  const monday = 4 * day // 1970-01-05
  if (interval === '1w') return Math.floor((time - monday) / (7 * day)) * 7 * day + monday
  const date = new Date(time)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/** Linear interpolation between the two neighbours of (n - 1) · q, as most tools do by default. */
export function quantile(values: Float64Array, q: number): number {
  const sorted = values.toSorted()
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)]!
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below)
}

function measure(flights: Flights, rows: readonly number[], m: Query['measures'][number]): number | string | null {
  if (m.fn === 'count') {
    if (m.field === undefined) return rows.length
    const get = fieldOf(flights, m.field)
    return rows.filter((i) => get(i) !== undefined).length
  }
  const get = fieldOf(flights, m.field ?? '')
  if (m.fn === 'uniq') return new Set(rows.map(get)).size
  const values = Float64Array.from(rows, (i) => Number(get(i)))
  if (values.length === 0) return m.fn === 'sum' ? 0 : null
  let sum = 0
  for (const value of values) sum += value
  switch (m.fn) {
    case 'sum':
      return sum
    case 'avg':
      return sum / values.length
    case 'min':
      return values.reduce((a, b) => Math.min(a, b))
    case 'max':
      return values.reduce((a, b) => Math.max(a, b))
    case 'quantile':
      return quantile(values, m.q ?? 0.5)
    default:
      throw new Error(`no such measure: ${m.fn}`)
  }
}

/** The rows of the answer; `time` is an ISO 8601 text. */
export function answer(flights: Flights, query: Query): Row[] {
  const { interval } = query
  const dimensions = (query.groupBy ?? []).map((name) => ({ name, get: fieldOf(flights, name) }))
  const groups = new Map<string, { key: Row; rows: number[] }>()
  if (dimensions.length === 0 && !interval) groups.set('', { key: {}, rows: [] })
  for (const i of select(flights, query)) {
    const start = interval && bucketStart(flights.time[i]!, interval)
    let name = start === undefined ? '' : String(start)
    for (const { get } of dimensions) name += `\0${get(i) ?? ''}`
    let group = groups.get(name)
    if (!group) {
      const key: Row = start === undefined ? {} : { time: new Date(start).toISOString() }
      for (const dimension of dimensions) key[dimension.name] = dimension.get(i) ?? null
      group = { key, rows: [] }
      groups.set(name, group)
    }
    group.rows.push(i)
  }
  let rows: Row[] = []
  for (const { key, rows: members } of groups.values()) {
    const row: Row = { ...key }
    for (const m of query.measures) row[m.as] = measure(flights, members, m)
    rows.push(row)
  }
  rows = rows.filter((row) => (query.having ?? []).every((condition) => meets(row[condition.field], condition)))
  rows.sort((a, b) => {
    for (const { by, dir } of query.orderBy ?? []) {
      const [x, y] = [a[by] ?? '', b[by] ?? '']
      if (x !== y) return (x < y ? -1 : 1) * (dir === 'asc' ? 1 : -1)
    }
    return 0
  })
  return query.limit === undefined ? rows : rows.slice(0, query.limit)
}
