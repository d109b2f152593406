import type { Environment } from '@marcbachmann/cel-js'
import { spend, workOf } from './expression-budget.ts'
import { equals, isIn } from './expression-equality.ts'
import { ExpressionError } from './expression-error.ts'
import { checkMemberName } from './expression-guard.ts'
import { excerpt } from './expression-template.ts'

/** What expression-guard.ts writes into expressions. Users cannot call these: their own text never sees this environment. */
const guards: Readonly<Record<string, (...values: never[]) => unknown>> = {
  '_eq(dyn, dyn): bool': equals,
  '_in(dyn, dyn): bool': isIn,
  '_weigh(dyn): dyn': (value: unknown) => {
    spend(workOf(value))
    return value
  },
  '_loop(dyn, int): dyn': (value: unknown, costOfTurn: bigint) => {
    if (typeof value === 'object') spend(workOf(value) * Number(costOfTurn))
    return value
  },
  '_index(dyn): dyn': index,
  '_name(dyn): string': checkMemberName,
  '_text(dyn): dyn': (value: unknown) => {
    spend(workOf(value) * 16)
    return value
  },
  '_short(dyn): dyn': (value: unknown) => {
    if (typeof value === 'string') return short(value, 256)
    return index(value)
  },
  '_texts(dyn): dyn': (value: unknown) => {
    if (Array.isArray(value)) for (const item of value) spend(4 + workOf(item))
    return value
  },
  '_instant(dyn): dyn': (value: unknown) => {
    if (typeof value !== 'string') return index(value)
    if (/[Zz]$|[+-]\d\d:\d\d$/.test(value.slice(-6))) return short(value, 64)
    throw new ExpressionError('An instant needs its offset from UTC, such as 2026-11-26T08:00:00Z')
  },
  '_span(dyn): dyn': (value: unknown) => {
    if (typeof value !== 'string' || /^[+-]?(?:\d{1,12}(?:\.\d{1,9})?(?:h|m|s|ms|us|µs|ns)){1,6}$/.test(value))
      return value
    throw new ExpressionError(`A duration is numbers with units, such as 1h30m or 1.5s, not ${excerpt(value, 40)}`)
  },
}

/** JSON numbers are doubles; where a position is expected, a whole one is an integer. */
function index(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value === 'string' || typeof value === 'bigint') return value
  throw new ExpressionError('Text or a whole number is expected as index')
}

function short(text: string, limit: number): string {
  if (text.length <= limit) return text
  throw new ExpressionError(`Text of at most ${limit} characters is expected, to look for or to read`)
}

export function withGuards(environment: Environment): Environment {
  for (const [signature, handler] of Object.entries(guards)) {
    environment.registerFunction(signature, handler, { async: false })
  }
  return environment
}

/** Literals are integers and JSON numbers doubles: without these, `input.amount * 2` would be an error. */
export function withJsonNumbers(environment: Environment): Environment {
  type Apply = (left: number | bigint, right: number | bigint) => number
  const operators: Readonly<Record<string, Apply>> = {
    '+': (left, right) => Number(left) + Number(right),
    '-': (left, right) => Number(left) - Number(right),
    '*': (left, right) => Number(left) * Number(right),
    '/': (left, right) => Number(left) / Number(right),
    '%': (left, right) => Number(left) % Number(right),
  }
  for (const [operator, apply] of Object.entries(operators)) {
    environment.registerOperator(`int ${operator} double: double`, apply)
    environment.registerOperator(`double ${operator} int: double`, apply)
  }
  environment.registerOperator('double % double', operators['%'] as Apply)
  return environment.registerOperator('int == double', (left: bigint, right: number) => Number(left) === right)
}
