import { type Filter, parseInstant, type Scalar } from '../../contract/index.ts'
import type { Bindings } from './bindings.ts'
import { refuse } from './problems.ts'
import type { TypedValue } from './typed-value.ts'

const operators = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

/**
 * One comparison as a condition that is never NULL. A value is compared with values of its own type only. A row without
 * the field meets ne, nin and exists:false, and nothing else. `path` is the filter's place, for what is refused.
 */
export function condition(value: TypedValue, { op, value: wanted }: Filter, path: string, bindings: Bindings): string {
  const at = `${path}.value`
  switch (op) {
    case 'eq':
    case 'in':
      return anyOf(value, listOf(wanted, op, at), at, bindings)
    case 'ne':
    case 'nin':
      return `NOT ${anyOf(value, listOf(wanted, op, at), at, bindings)}`
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return ordered(value, operators[op], scalar(wanted, at), at, bindings)
    case 'contains':
      return contains(value, scalar(wanted, at), path, bindings)
    case 'exists':
      if (typeof wanted !== 'boolean') refuse(at, 'exists takes true or false')
      return wanted ? value.exists : `NOT ${value.exists}`
  }
}

function scalar(value: Filter['value'], at: string): Scalar {
  return typeof value === 'object' ? refuse(at, 'one value is expected, not a list') : value
}

function listOf(value: Filter['value'], op: 'eq' | 'ne' | 'in' | 'nin', at: string): readonly Scalar[] {
  if (op === 'eq' || op === 'ne') return [scalar(value, at)]
  if (typeof value !== 'object') return refuse(at, `${op} takes a list`)
  return value.length > 0 && value.length <= 10_000 ? value : refuse(at, 'the list has 1 to 10,000 values')
}

function anyOf(value: TypedValue, wanted: readonly Scalar[], at: string, bindings: Bindings): string {
  const alternatives: string[] = []
  const add = (part: string | undefined, test: (part: string) => string): void => {
    if (part !== undefined) alternatives.push(`ifNull(${test(part)}, 0)`)
  }
  const numbers = wanted.filter((one) => typeof one === 'number')
  const strings = wanted.filter((one) => typeof one === 'string')
  const booleans = wanted.filter((one) => typeof one === 'boolean')
  if (value.time !== undefined) {
    const instants = wanted.map((one) => instant(one, at))
    return `toUnixTimestamp64Micro(${value.time}) IN ${bindings.bind('Array(Int64)', instants)}`
  }
  if (numbers.length === 1) add(value.num, (part) => `${part} = ${bindings.bind('Float64', numbers[0]!)}`)
  if (numbers.length > 1) add(value.num, (part) => `${part} IN ${bindings.bind('Array(Float64)', numbers)}`)
  if (strings.length === 1) add(value.str, (part) => `${part} = ${bindings.bind('String', strings[0]!)}`)
  if (strings.length > 1) add(value.str, (part) => `${part} IN ${bindings.bind('Array(String)', strings)}`)
  for (const one of new Set(booleans)) add(value.bool, (part) => `${part} = ${bindings.bind('Bool', one)}`)
  return alternatives.length === 0 ? '0' : `(${alternatives.join(' OR ')})`
}

function ordered(value: TypedValue, operator: string, wanted: Scalar, at: string, bindings: Bindings): string {
  if (value.time !== undefined) return `${value.time} ${operator} ${instantLiteral(instant(wanted, at), bindings)}`
  if (typeof wanted === 'boolean') return refuse(at, 'true and false have no order')
  const [part, type] = typeof wanted === 'number' ? ([value.num, 'Float64'] as const) : ([value.str, 'String'] as const)
  return part === undefined ? '0' : `ifNull(${part} ${operator} ${bindings.bind(type, wanted)}, 0)`
}

/** A text that holds the wanted one, or an array that has the wanted element. */
function contains(value: TypedValue, wanted: Scalar, path: string, bindings: Bindings): string {
  const { arrays, str } = value
  if (str === undefined) return refuse(path, 'contains works on texts and arrays')
  const mixed = (element: string, test: string): string =>
    arrays === undefined ? '0' : `arrayExists(x -> ifNull(${element} = ${test}, 0), ${arrays.mixed})`
  if (typeof wanted === 'string') {
    const bound = bindings.bind('String', wanted)
    const inText = `ifNull(position(${str}, ${bound}) > 0, 0)`
    return arrays
      ? `(${inText} OR has(${arrays.str}, ${bound}) OR ${mixed(`dynamicElement(x, 'String')`, bound)})`
      : inText
  }
  if (!arrays) return refuse(`${path}.value`, 'a text is expected here')
  if (typeof wanted === 'boolean') {
    const bound = bindings.bind('Bool', wanted)
    return `(has(${arrays.bool}, ${bound}) OR ${mixed(`dynamicElement(x, 'Bool')`, bound)})`
  }
  const bound = bindings.bind('Float64', wanted)
  const element = `coalesce(toFloat64(dynamicElement(x, 'Int64')), dynamicElement(x, 'Float64'))`
  return `(has(${arrays.float}, ${bound}) OR arrayExists(x -> ifNull(toFloat64(x) = ${bound}, 0), ${arrays.int}) OR ${mixed(element, bound)})`
}

function instant(value: Scalar, at: string): number {
  const micros = typeof value === 'string' ? parseInstant(value) : undefined
  return micros ?? refuse(at, 'an RFC 3339 instant is expected, such as 2001-02-03T04:05:06Z')
}

export function instantLiteral(micros: number, bindings: Bindings): string {
  return `fromUnixTimestamp64Micro(${bindings.bind('Int64', micros)}, 'UTC')`
}
