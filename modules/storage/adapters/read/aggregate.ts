import { AppError } from '@splitstream/kernel'
import type { AggregateInput, Column, Measure } from '../../contract/index.ts'
import { Binder, type FieldSql, fieldSql, whereSql } from './sql.ts'

type Row = Record<string, unknown>
type Kind = Column['type']

/** A column of the answer: what it selects under internal names, and how it is read back. */
interface Output {
  readonly name: string
  readonly select: readonly string[]
  /** SQL names to group by; empty for a measure. */
  readonly group: readonly string[]
  /** SQL names to order and compare by. */
  readonly order: readonly string[]
  read(row: Row): unknown
}

const comparison = { eq: '=', ne: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

/** Names chosen by the client never reach the text: columns are g0, g1, …, m0, m1, … inside. */
export function aggregateSql(input: AggregateInput, tenant: string) {
  const binder = new Binder()
  const outputs: Output[] = []
  if (input.interval) outputs.push(interval(input.interval))
  for (const [i, field] of input.groupBy.entries()) outputs.push(dimension(field, `g${i}`, binder))
  const measures = input.measures.map((measure, i) => measureOutput(measure, `m${i}`, binder))
  outputs.push(...measures)
  const byName = new Map(outputs.map((output) => [output.name, output]))
  if (byName.size !== outputs.length)
    throw new AppError('REQUEST_INVALID', 'Two columns of the answer have the same name')

  const where = whereSql(tenant, input.range, input.filters, binder)
  const group = outputs.flatMap((output) => output.group)
  const having = input.having.map(({ field, op, value }) => {
    const measure = measures.find((one) => one.name === field)
    if (!measure || !Object.hasOwn(comparison, op) || typeof value !== 'number') {
      throw new AppError('REQUEST_INVALID', 'having compares a measure with a number: eq, ne, lt, lte, gt or gte')
    }
    return `${measure.order[0]} ${comparison[op as keyof typeof comparison]} ${binder.bind(value, 'Float64')}`
  })
  const order = input.orderBy.flatMap(({ by, dir }) => {
    const output = byName.get(by)
    if (!output)
      throw new AppError('REQUEST_INVALID', `orderBy: there is no column ${JSON.stringify(by.slice(0, 100))}`)
    return output.order.map((sql) => `${sql} ${dir === 'desc' ? 'DESC' : 'ASC'}`)
  })
  // Ties in a fixed order, so that the same question has the same answer.
  order.push(...outputs.filter((output) => output.group.length > 0).flatMap((output) => output.order))

  const sql = [
    `SELECT ${outputs.flatMap((output) => output.select).join(',\n  ')}`,
    `FROM events\nWHERE ${where}`,
    group.length > 0 ? `GROUP BY ${group.join(', ')}` : '',
    having.length > 0 ? `HAVING ${having.join(' AND ')}` : '',
    order.length > 0 ? `ORDER BY ${order.join(', ')}` : '',
    `LIMIT ${binder.bind(input.limit, 'UInt32')}`,
  ]
  return { sql: sql.filter(Boolean).join('\n'), params: binder.params, outputs }
}

export function readTable(outputs: readonly Output[], rows: readonly Row[]): { columns: Column[]; rows: Row[] } {
  const table = rows.map((row) => Object.fromEntries(outputs.map((output) => [output.name, output.read(row)])))
  const columns = outputs.map(({ name, group }) => ({
    name,
    type: typeOf(
      name === 'time' && group[0] === 't',
      table.map((row) => row[name]),
    ),
  }))
  return { columns, rows: table }
}

function typeOf(isTime: boolean, values: readonly unknown[]): Kind {
  if (isTime) return 'time'
  const types = new Set(values.filter((value) => value !== null).map((value) => typeof value))
  if (types.size === 0) return 'number'
  const [only] = types
  return types.size === 1 && (only === 'string' || only === 'number' || only === 'boolean') ? only : 'json'
}

function interval({ n, unit }: NonNullable<AggregateInput['interval']>): Output {
  return {
    name: 'time',
    select: [
      `toString(toStartOfInterval(time, toInterval${unit[0]!.toUpperCase()}${unit.slice(1)}(${Math.trunc(n)}), 'UTC')) AS t`,
    ],
    group: ['t'],
    order: ['t'],
    read: (row) => isoOf(String(row.t)),
  }
}

/** `2001-01-01` or `2001-01-01 10:00:00.000000` as RFC 3339. */
function isoOf(text: string): string {
  const [date, clock = '00:00:00'] = text.split(' ')
  return `${date}T${clock.replace(/\.0+$/, '')}Z`
}

/** A dimension groups by its typed parts, so that 1 and "1" stay apart, and is read back as the JSON value it was. */
function dimension(field: string, name: string, binder: Binder): Output {
  const sql = fieldSql(field, binder)
  if (sql.number === undefined) {
    const select = sql.isTime ? `toString(${field}) AS ${name}` : `${sql.string} AS ${name}`
    const read = (row: Row): unknown => (sql.isTime ? isoOf(String(row[name])) : row[name] === '' ? null : row[name])
    return { name: field, select: [select], group: [name], order: [name], read }
  }
  const parts = [`${name}n`, `${name}s`, `${name}b`]
  return {
    name: field,
    select: [`${sql.number} AS ${parts[0]}`, `${sql.string} AS ${parts[1]}`, `${sql.boolean} AS ${parts[2]}`],
    group: parts,
    order: parts,
    read: (row) => row[parts[1]!] ?? row[parts[0]!] ?? row[parts[2]!] ?? null,
  }
}

function measureOutput(measure: Measure, name: string, binder: Binder): Output {
  if (measure.fn === 'count' && measure.field === undefined) return single(measure, name, 'count()', integer)
  if (measure.field === undefined) throw new AppError('REQUEST_INVALID', `${measure.fn} needs a field`)
  const field = fieldSql(measure.field, binder)
  if (measure.fn === 'count') return single(measure, name, `countIf(${field.exists})`, integer)
  if (measure.fn === 'uniq') return single(measure, name, `uniqExact(${identity(field)})`, integer)
  if (measure.fn === 'min' || measure.fn === 'max') return extreme(measure, name, field)
  if (field.number === undefined)
    throw new AppError('REQUEST_INVALID', `${measure.fn} needs numbers; ${measure.field} has none`)
  if (measure.fn === 'sum') return single(measure, name, `sum(${field.number})`, number)
  if (measure.fn === 'avg') return single(measure, name, `avg(${field.number})`, number)
  const q = Number(measure.q)
  if (!(q >= 0 && q <= 1)) throw new AppError('REQUEST_INVALID', 'quantile needs q from 0 to 1')
  // Linear interpolation between the neighbouring values, as numpy and spreadsheets do by default.
  return single(measure, name, `quantileExactInclusive(${q})(${field.number})`, number)
}

function single({ as }: Measure, name: string, sql: string, read: (value: unknown) => unknown): Output {
  return { name: as, select: [`${sql} AS ${name}`], group: [], order: [name], read: (row) => read(row[name]) }
}

/** Of numbers when there are any, else of strings. */
function extreme(measure: Measure, name: string, field: FieldSql): Output {
  if (field.isTime)
    return single(measure, name, `toString(${measure.fn}(${measure.field}))`, (value) => isoOf(String(value)))
  if (field.number === undefined) return single(measure, name, `${measure.fn}(${field.string})`, (value) => value)
  const select = [`${measure.fn}(${field.number}) AS ${name}`, `${measure.fn}(${field.string}) AS ${name}s`]
  return {
    name: measure.as,
    select,
    group: [],
    order: [name, `${name}s`],
    read: (row) => number(row[name]) ?? row[`${name}s`] ?? null,
  }
}

function identity(field: FieldSql): string {
  if (field.number === undefined) return `nullIf(${field.string}, '')`
  return `coalesce(concat('s', ${field.string}), concat('n', toString(${field.number})), concat('b', toString(${field.boolean})))`
}

/** 64-bit integers come as text: a number where a double holds it, else the text. */
function integer(value: unknown): unknown {
  const n = Number(value)
  return Number.isSafeInteger(n) ? n : value
}

function number(value: unknown): unknown {
  return typeof value === 'number' ? value : value === null || value === undefined ? null : Number(value)
}
