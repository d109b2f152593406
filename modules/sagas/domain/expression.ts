import { newRoom, type Room } from './expression-budget.ts'
import { compileCel } from './expression-cel.ts'
import { ExpressionError } from './expression-error.ts'
import { type Reference, referencesOf } from './expression-references.ts'
import { toJson } from './expression-result.ts'
import { excerpt, type Part, splitTemplate } from './expression-template.ts'
import type { Json } from './json.ts'

export { ExpressionError } from './expression-error.ts'

/** What expressions see, by name: input, steps, saga, response, event, key. */
export type Scope = Readonly<Record<string, Json>>

/** A template without expressions is a constant; no work is done for it later. */
type Compiled = { readonly constant: Json } | { readonly evaluate: (scope: Scope, room: Room) => Json }

/**
 * Compiles a JSON value whose strings may hold `${ … }`. A string that is nothing but one expression becomes its value, with
 * its type; any other becomes text. `$${` stands for `${`. With `names`, expressions may use no other top-level name.
 * @throws ExpressionError when an expression does not parse; the compiled function, when one cannot be evaluated
 */
export function compileTemplate(value: Json, names?: readonly string[]): (scope: Scope) => Json {
  toJson(value, newRoom())
  const compiled = compile(value, names)
  if ('constant' in compiled) return () => compiled.constant
  return (scope) => compiled.evaluate(scope, newRoom())
}

/**
 * As compileTemplate for one string, and the result is always text: numbers and booleans are written out. Null, lists and maps
 * are refused, as `orders/null` is never what anybody meant.
 */
export function compileText(text: string, names?: readonly string[]): (scope: Scope) => string {
  const compiled = compileParts(splitTemplate(text), names)
  if ('constant' in compiled) return () => compiled.constant
  return (scope) => compiled.evaluate(scope, newRoom())
}

/** Compiles one expression, bare or as `${…}`. @throws as compileTemplate */
export function compileValue(text: string, names?: readonly string[]): (scope: Scope) => Json {
  const expression = compileCel(soleExpression(text), names)
  return (scope) => expression.evaluate(scope, newRoom())
}

/** As compileValue; the compiled function throws ExpressionError also when the value is no boolean. */
export function compileCondition(text: string, names?: readonly string[]): (scope: Scope) => boolean {
  const expression = compileCel(soleExpression(text), names)
  return (scope) => {
    const value = expression.evaluate(scope, newRoom())
    if (typeof value === 'boolean') return value
    throw new ExpressionError(`A condition must give true or false; this one gives ${kindOf(value)}: ${excerpt(text)}`)
  }
}

/**
 * What a string reads of the top-level name `of`, for checks before anything runs. `form`: whether its expressions stand in
 * `${…}`, or it is one. @throws ExpressionError when one of them does not compile
 */
export function readsOf(
  of: string,
  text: string,
  form: 'template' | 'expression',
  names: readonly string[],
): (Reference | undefined)[] {
  const sources = form === 'expression' ? [soleExpression(text)] : sourcesOf(text)
  return sources.flatMap((source) => referencesOf(compileCel(source, names).ast, of))
}

const sourcesOf = (text: string) => splitTemplate(text).flatMap((part) => ('source' in part ? [part.source] : []))

function soleExpression(text: string): string {
  if (!text.trimStart().startsWith('${')) return text
  const [only, ...others] = splitTemplate(text.trim())
  if (only !== undefined && 'source' in only && others.length === 0) return only.source
  throw new ExpressionError(`One expression is expected, not text around expressions: ${excerpt(text)}`)
}

function compile(value: Json, names: readonly string[] | undefined): Compiled {
  if (typeof value === 'string') return compileString(value, names)
  if (value === null || typeof value !== 'object') return { constant: value }
  if (Array.isArray(value)) return compileList(value, names)
  return compileMap(value as { readonly [name: string]: Json }, names)
}

function compileString(text: string, names: readonly string[] | undefined): Compiled {
  const parts = splitTemplate(text)
  const [only] = parts
  if (parts.length > 1 || only === undefined || 'text' in only) return compileParts(parts, names)
  return compileCel(only.source, names)
}

function compileParts(
  parts: readonly Part[],
  names: readonly string[] | undefined,
): { readonly constant: string } | { readonly evaluate: (scope: Scope, room: Room) => string } {
  const [only] = parts
  if (parts.length === 1 && only !== undefined && 'text' in only) return { constant: only.text }
  const pieces = parts.map((part) => {
    if ('text' in part) return (_: Scope, room: Room) => toJson(part.text, room) as string
    const expression = compileCel(part.source, names)
    return (scope: Scope, room: Room) => asText(expression.evaluate(scope, room), part.source)
  })
  return {
    evaluate: (scope, room) => {
      let text = ''
      for (const piece of pieces) text += piece(scope, room)
      return text
    },
  }
}

function asText(value: Json, source: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new ExpressionError(
    `Within text, \${${excerpt(source)}} must give text, a number or a boolean; it gives ${kindOf(value)}`,
  )
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a map' : `a ${typeof value}`
}

function compileList(list: readonly Json[], names: readonly string[] | undefined): Compiled {
  const items = list.map((item) => compile(item, names))
  if (items.every((item) => 'constant' in item)) return { constant: items.map((item) => item.constant) }
  return {
    evaluate: (scope, room) => items.map((item) => ('constant' in item ? item.constant : item.evaluate(scope, room))),
  }
}

function compileMap(map: { readonly [name: string]: Json }, names: readonly string[] | undefined): Compiled {
  const members = Object.entries(map).map(([name, member]) => [name, compile(member, names)] as const)
  const constant: Record<string, Json> = {}
  for (const [name, member] of members) if ('constant' in member) constant[name] = member.constant
  const computed = members.flatMap(([name, member]) => ('constant' in member ? [] : [[name, member.evaluate] as const]))
  if (computed.length === 0) return { constant }
  return {
    evaluate: (scope, room) => {
      const result = { ...constant }
      for (const [name, evaluate] of computed) result[name] = evaluate(scope, room)
      return result
    },
  }
}
