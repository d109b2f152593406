import type { ClickHouseQuery } from '@splitstream/kernel'
import type { AggregateInput } from '../../contract/index.ts'
import { Bindings } from './bindings.ts'
import { bucketExpression } from './buckets.ts'
import { condition } from './conditions.ts'
import { fromEvents, resolveField } from './from-events.ts'
import { compileMeasure, quantileLevels } from './measures.ts'
import { refuse } from './problems.ts'
import type { TypedValue } from './typed-value.ts'

/** A column of the answer and the columns of the statement that it is read from: `prefix` and the letter of a part. */
export interface OutputColumn {
  readonly name: string
  readonly kind: 'bucket' | 'dimension' | 'measure'
  readonly prefix: string
  readonly parts: readonly Part[]
  /** A measure whose exact integer comes as `prefix` + 'x', valid when `prefix` + 'y' is 0. */
  readonly exact: boolean
}

const parts = ['num', 'str', 'bool', 'time'] as const
export type Part = (typeof parts)[number]

export interface CompiledAggregate {
  readonly query: ClickHouseQuery
  readonly columns: readonly OutputColumn[]
}

interface Pending extends OutputColumn {
  readonly value: TypedValue
}

const maxLimit = 10_000

/** @throws AppError REQUEST_INVALID with the JSON path of what is wrong */
export function compileAggregate(input: AggregateInput, tenant: string): CompiledAggregate {
  const bindings = new Bindings()
  const select: string[] = []
  const groups: string[] = []
  const columns: Pending[] = []

  const add = (name: string, kind: OutputColumn['kind'], prefix: string, value: TypedValue, path: string): void => {
    if (columns.some((column) => column.name === name)) refuse(path, `two columns have the name ${name}`)
    const present = parts.filter((part) => value[part] !== undefined)
    for (const part of present) {
      const expression = part === 'time' ? `toUnixTimestamp64Micro(${value.time})` : value[part]
      select.push(`${expression} AS ${prefix}${part}`)
      if (kind !== 'measure') groups.push(`${prefix}${part}`)
    }
    columns.push({ name, kind, prefix, parts: present, exact: false, value })
  }

  if (input.interval) {
    add('time', 'bucket', 'b', { num: bucketExpression(input.interval, bindings), exists: '1' }, 'interval')
  }
  for (const [i, field] of input.groupBy.entries()) {
    const path = `groupBy[${i}]`
    add(field, 'dimension', `g${i}`, resolveField(field, path, bindings), path)
  }
  const levels = quantileLevels(input.measures)
  for (const [i, measure] of input.measures.entries()) {
    const path = `measures[${i}]`
    const { value, exact } = compileMeasure(measure, path, levels, bindings)
    add(measure.as, 'measure', `m${i}`, value, `${path}.as`)
    if (exact) {
      select.push(`${exact.int} AS m${i}x`, `${exact.floats} AS m${i}y`)
      columns.push({ ...columns.pop()!, exact: true })
    }
  }
  if (columns.length === 0) refuse('measures', 'at least one measure, group or interval is needed')
  if (!(Number.isInteger(input.limit) && input.limit >= 1 && input.limit <= maxLimit)) {
    refuse('limit', `the limit is a whole number from 1 to ${maxLimit}`)
  }

  const sql = [
    `SELECT ${select.join(', ')}`,
    fromEvents(tenant, input, bindings),
    groups.length > 0 && `GROUP BY ${groups.join(', ')}`,
    having(input, columns, bindings),
    order(input, columns, groups),
    `LIMIT ${bindings.bind('UInt32', input.limit)}`,
  ]
  const settings = { max_block_size: blockRows(groups.length) }
  return { query: { sql: sql.filter(Boolean).join('\n'), params: bindings.params, settings }, columns }
}

/**
 * Rows of a block. Between two blocks the engine looks whether the query is still wanted: grouped by several columns, the 65,536 that
 * it takes by itself keep a thread for 50 ms and more. Smaller ones cost the cheap queries a tenth of their time, so these keep theirs.
 */
const blockRows = (groups: number): number => 65_536 / 2 ** Math.min(groups, 3)

function having({ having }: AggregateInput, columns: readonly Pending[], bindings: Bindings): string {
  const conditions = having.map((filter, i) => {
    const path = `having[${i}]`
    const column = columns.find(({ name, kind }) => name === filter.field && kind === 'measure')
    if (!column) return refuse(`${path}.field`, 'no measure has this name')
    return condition(column.value, filter, path, bindings)
  })
  return conditions.length > 0 ? `HAVING ${conditions.join(' AND ')}` : ''
}

/** As asked, then by the groups, so that a limit always cuts at the same place. Numbers come before texts, NULL last. */
function order({ orderBy }: AggregateInput, columns: readonly Pending[], groups: readonly string[]): string {
  const terms: string[] = []
  for (const [i, { by, dir }] of orderBy.entries()) {
    const column = columns.find(({ name }) => name === by) ?? refuse(`orderBy[${i}].by`, 'no column has this name')
    for (const part of column.parts) {
      terms.push(`${column.prefix}${part} ${dir === 'desc' ? 'DESC' : 'ASC'} NULLS LAST`)
    }
  }
  const rest = groups.filter((group) => !terms.some((term) => term.startsWith(`${group} `)))
  terms.push(...rest.map((group) => `${group} ASC NULLS LAST`))
  return terms.length > 0 ? `ORDER BY ${terms.join(', ')}` : ''
}
