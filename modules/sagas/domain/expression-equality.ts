import { spend, workOf } from './expression-budget.ts'
import { ExpressionError } from './expression-error.ts'

/**
 * Equality of values as users see them: numbers by value, whatever their kind, also within lists and maps; values of different
 * kinds are different. The library looks at the first item of a list to know its type, so there [1] is not [1.0].
 */
export function equals(left: unknown, right: unknown): boolean {
  spend(1)
  if (left === right) return true
  if (isNumber(left) && isNumber(right)) return Number(left) === Number(right)
  if (typeof left === 'string' && typeof right === 'string') {
    spend(workOf(left))
    return false
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left)) return Array.isArray(right) && listsEqual(left, right)
  if (isMap(left)) return isMap(right) && mapsEqual(left, right)
  return left.constructor === right.constructor && String(left.valueOf()) === String(right.valueOf())
}

/** Whether a list holds an equal item, or a map such a member. */
export function isIn(value: unknown, container: unknown): boolean {
  if (Array.isArray(container)) return container.some((item) => equals(value, item))
  if (!isMap(container)) throw new ExpressionError('Only in a list or a map can something be looked for with `in`')
  return typeof value === 'string' && Object.hasOwn(container, value)
}

function listsEqual(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, i) => equals(item, right[i]))
}

function mapsEqual(left: Readonly<Record<string, unknown>>, right: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(left)
  spend(names.length)
  if (names.length !== Object.keys(right).length) return false
  return names.every((name) => Object.hasOwn(right, name) && equals(left[name], right[name]))
}

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint'

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
