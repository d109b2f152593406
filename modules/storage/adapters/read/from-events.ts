import { type Filter, parseField, parseInstant, type TimeRange } from '../../contract/index.ts'
import { eventsTable } from '../../domain/table.ts'
import type { Bindings } from './bindings.ts'
import { condition, instantLiteral } from './conditions.ts'
import { fieldValue } from './fields.ts'
import { refuse } from './problems.ts'
import type { TypedValue } from './typed-value.ts'

export interface Selection {
  readonly range: TimeRange
  readonly filters: readonly Filter[]
}

/** FROM and WHERE of every query over the events: the one place where the tenant is put in. */
export function fromEvents(
  tenant: string,
  { range, filters }: Selection,
  bindings: Bindings,
  more: string[] = [],
): string {
  const conditions = [`tenant = ${bindings.bind('String', tenant)}`]
  const bound = (name: 'from' | 'to', operator: string): void => {
    const text = range[name]
    if (text === undefined) return
    const micros = parseInstant(text) ?? refuse(`range.${name}`, 'an RFC 3339 instant is expected')
    conditions.push(`time ${operator} ${instantLiteral(micros, bindings)}`)
  }
  bound('from', '>=')
  bound('to', '<')
  for (const [i, filter] of filters.entries()) {
    const path = `filters[${i}]`
    conditions.push(condition(resolveField(filter.field, `${path}.field`, bindings), filter, path, bindings))
  }
  return `FROM ${eventsTable} WHERE ${[...conditions, ...more].join(' AND ')}`
}

export function resolveField(field: string, path: string, bindings: Bindings): TypedValue {
  const ref = parseField(field) ?? refuse(path, 'no such field: an attribute, ext.name or data.path is expected')
  return fieldValue(ref, bindings)
}
