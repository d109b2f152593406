import type { Measure } from '../../contract/index.ts'
import type { Bindings } from './bindings.ts'
import { resolveField } from './from-events.ts'
import { refuse } from './problems.ts'
import type { TypedValue } from './typed-value.ts'

/** A measure in SQL. `exact`: an integer and how many values were no integers; the sum is exact when that is 0. */
export interface CompiledMeasure {
  readonly value: TypedValue
  readonly exact?: { readonly int: string; readonly floats: string } | undefined
}

/** @param quantiles levels asked of each field, so that the engine sorts its values once: see `quantileLevels` */
export function compileMeasure(
  measure: Measure,
  path: string,
  quantiles: ReadonlyMap<string, readonly number[]>,
  bindings: Bindings,
): CompiledMeasure {
  const { fn, field } = measure
  if (fn === 'count') {
    const counted =
      field === undefined ? 'count()' : `countIf(${resolveField(field, `${path}.field`, bindings).exists})`
    return always({ num: counted })
  }
  if (field === undefined) return refuse(path, `${fn} needs a field`)
  const value = resolveField(field, `${path}.field`, bindings)
  if (fn === 'uniq') {
    const parts = [value.num, value.str, value.bool, value.time].filter((part) => part !== undefined)
    return always({ num: parts.map((part) => `uniqExact(${part})`).join(' + ') })
  }
  if (fn === 'min' || fn === 'max') {
    const of = (part: string | undefined): string | undefined => part && `${fn}OrNull(${part})`
    const [num, str, time] = [of(value.num), of(value.str), of(value.time)]
    const exists = [num, str, time].filter((part) => part !== undefined).map((part) => `isNotNull(${part})`)
    return {
      value: {
        num,
        str: num && str ? `if(isNull(${num}), ${str}, NULL)` : str,
        time,
        exists: `(${exists.join(' OR ')})`,
      },
    }
  }
  if (value.num === undefined) return refuse(`${path}.field`, `${fn} needs numbers, and this field has none`)
  if (fn === 'avg') return nullable(`avgOrNull(${value.num})`)
  if (fn === 'sum') return sum(value)
  const levels = quantiles.get(field) ?? []
  const bound = levels.map((q) => bindings.bind('Float64', q)).join(', ')
  const q = `quantilesExactInclusive(${bound})(${value.num})[${levels.indexOf(measure.q ?? Number.NaN) + 1}]`
  return nullable(`if(isNaN(${q}), NULL, ${q})`)
}

/** @throws AppError REQUEST_INVALID for a level outside 0 … 1 */
export function quantileLevels(measures: readonly Measure[]): Map<string, number[]> {
  const levels = new Map<string, number[]>()
  for (const [i, { fn, field, q }] of measures.entries()) {
    if (fn !== 'quantile' || field === undefined) continue
    if (q === undefined || !(q >= 0 && q <= 1)) refuse(`measures[${i}].q`, 'a quantile needs q from 0 to 1')
    levels.set(field, [...new Set([...(levels.get(field) ?? []), q])])
  }
  return levels
}

const always = (value: { num: string }): CompiledMeasure => ({ value: { ...value, exists: '1' } })
const nullable = (num: string): CompiledMeasure => ({ value: { num, exists: `isNotNull(${num})` } })

/** Integers are summed as Int128, so that no sum of them is rounded; other numbers as Float64. Of nothing: 0. */
function sum({ split, num }: TypedValue): CompiledMeasure {
  if (!split) return always({ num: `ifNull(sum(${num}), 0)` })
  const int = `ifNull(sum(toInt128(${split.int})), 0)`
  const value = `toFloat64(${int}) + ifNull(sum(${split.float}), 0)`
  return { ...always({ num: value }), exact: { int: `toString(${int})`, floats: `count(${split.float})` } }
}
