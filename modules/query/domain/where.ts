import { type CompareOp, type Filter, type Scalar, scanField } from '@splitstream/storage/contract'

/**
 * The text of `where=`: comparisons joined by ` and `.
 *
 *   where      = comparison *( "and" comparison )
 *   comparison = field op value            field: as in storage's contract; op: = != < <= > >=
 *   value      = number | "true" | "false" | quoted | bare
 *   quoted     = "…" or '…', with \ before a quote or a backslash
 *   bare       = anything without white space; a text
 */
export type WhereResult = { readonly filters: readonly Filter[] } | { readonly problem: string; readonly at: number }

const operators: Readonly<Record<string, CompareOp>> = {
  '=': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
}
const maxComparisons = 50

export function parseWhere(text: string): WhereResult {
  const filters: Filter[] = []
  let at = skipSpace(text, 0)
  for (;;) {
    const field = scanField(text, at)
    if (!field) return { problem: 'a field is expected: an attribute, ext.name or data.path', at }
    const name = text.slice(at, field.end)
    at = skipSpace(text, field.end)
    const operator = match(/!=|<=|>=|=|<|>/y, text, at)
    if (operator === undefined) return { problem: 'one of = != < <= > >= is expected', at }
    at = skipSpace(text, at + operator.length)
    const value = match(/"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*'|[^\s"'][^\s]*/y, text, at)
    if (value === undefined) return { problem: 'a value is expected: a number, true, false, or a text', at }
    at += value.length
    filters.push({ field: name, op: operators[operator]!, value: scalarOf(value) })
    if (filters.length > maxComparisons) return { problem: `more than ${maxComparisons} comparisons`, at }
    const next = skipSpace(text, at)
    if (next === text.length) return { filters }
    const and = next > at ? match(/and(?=\s)/iy, text, next) : undefined
    if (and === undefined) return { problem: '" and " or the end is expected', at: next }
    at = skipSpace(text, next + and.length)
  }
}

function scalarOf(text: string): Scalar {
  if (text.startsWith('"') || text.startsWith("'")) return text.slice(1, -1).replace(/\\(["'\\])/g, '$1')
  if (text === 'true' || text === 'false') return text === 'true'
  const isNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : text
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && /\s/.test(text[at]!)) at++
  return at
}
