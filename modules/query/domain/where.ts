import { AppError } from '@splitstream/kernel'
import type { CompareOp, Filter, Scalar } from '@splitstream/storage/contract'

const operators: Readonly<Record<string, CompareOp>> = {
  '=': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
}
const comparison =
  /\s*([A-Za-z_][^\s=!<>"']{0,255}?)\s*(<=|>=|!=|=|<|>)\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))\s*/y
const conjunction = /and\s+/iy
const maxComparisons = 50

/** `data.delay>60 and subject="ORD"`. @throws AppError REQUEST_INVALID with the place of the mistake */
export function parseWhere(text: string): Filter[] {
  const filters: Filter[] = []
  for (let at = 0; ; ) {
    comparison.lastIndex = at
    const match = comparison.exec(text)
    if (!match || filters.length === maxComparisons) {
      throw new AppError('REQUEST_INVALID', `where: expected a comparison such as data.delay>60 at character ${at}`)
    }
    const [, field, op, double, single, bare] = match
    const value = bare === undefined ? (double ?? single ?? '').replace(/\\(.)/g, '$1') : bareValue(bare)
    filters.push({ field: field!, op: operators[op!]!, value })
    at = comparison.lastIndex
    if (at === text.length) return filters
    conjunction.lastIndex = at
    if (!conjunction.test(text)) throw new AppError('REQUEST_INVALID', `where: expected "and" at character ${at}`)
    at = conjunction.lastIndex
  }
}

function bareValue(text: string): Scalar {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text
}
