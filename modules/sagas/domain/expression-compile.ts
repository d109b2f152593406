import { newRoom, type Room } from './expression-budget.ts'
import { compileCel } from './expression-cel.ts'
import { ExpressionError } from './expression-error.ts'
import { toJson } from './expression-result.ts'
import { excerpt, type Part, splitTemplate } from './expression-template.ts'
import type { Json } from './json.ts'

/** What expressions see, by name: input, steps, saga, response, event, key. */
export type Scope = Readonly<Record<string, Json>>

/** A template without expressions is a constant; no work is done for it later. */
export type Compiled<T extends Json = Json> =
  | { readonly constant: T }
  | { readonly evaluate: (scope: Scope, room: Room) => T }

type Names = readonly string[] | undefined

/** The room that is left for the expressions of a template, once what is fixed in it is counted. @throws ExpressionError */
export function roomBeside(template: Json): () => Room {
  const { bytes, work } = takeAll(newRoom(), template)
  return () => ({ bytes, work })
}

function takeAll(room: Room, template: Json): Room {
  toJson(template, room)
  return room
}

/** Compiles a JSON value whose strings may hold expressions. @throws ExpressionError */
export function compile(value: Json, names: Names): Compiled {
  if (typeof value === 'string') return compileString(value, names)
  if (value === null || typeof value !== 'object') return { constant: value }
  if (Array.isArray(value)) return compileList(value, names)
  return compileMap(value as { readonly [name: string]: Json }, names)
}

function compileString(text: string, names: Names): Compiled {
  const parts = splitTemplate(text)
  const [only] = parts
  if (parts.length > 1 || only === undefined || 'text' in only) return compileParts(parts, names, asText)
  return compileCel(only.source, names)
}

/** Parts put together to text. `toText`: how the value of an expression stands in it, after what is `before` it. */
export function compileParts(
  parts: readonly Part[],
  names: Names,
  toText: (value: Json, source: string, before: string) => string,
): Compiled<string> {
  const [only] = parts
  if (parts.length === 1 && only !== undefined && 'text' in only) return { constant: only.text }
  const pieces = parts.map((part) => {
    if ('text' in part) return () => part.text
    const expression = compileCel(part.source, names)
    return (scope: Scope, room: Room, before: string) => toText(expression.evaluate(scope, room), part.source, before)
  })
  return {
    evaluate: (scope, room) => {
      let text = ''
      for (const piece of pieces) text += piece(scope, room, text)
      return text
    },
  }
}

/** @throws ExpressionError when it is null, a list or a map: `orders/null` is never what anybody meant */
export function asText(value: Json, source: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new ExpressionError(
    `Within text, \${${excerpt(source)}} must give text, a number or a boolean; it gives ${kindOf(value)}`,
  )
}

export function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a map' : `a ${typeof value}`
}

function compileList(list: readonly Json[], names: Names): Compiled {
  const items = list.map((item) => compile(item, names))
  if (items.every((item) => 'constant' in item)) return { constant: items.map((item) => item.constant) }
  return {
    evaluate: (scope, room) => items.map((item) => ('constant' in item ? item.constant : item.evaluate(scope, room))),
  }
}

function compileMap(map: { readonly [name: string]: Json }, names: Names): Compiled {
  const constant: Record<string, Json> = {}
  const computed: (readonly [name: string, evaluate: (scope: Scope, room: Room) => Json])[] = []
  for (const [name, member] of Object.entries(map)) {
    const compiled = compile(member, names)
    // Computed members have their place from the start, so that the order stays as it was written.
    constant[name] = 'constant' in compiled ? compiled.constant : null
    if (!('constant' in compiled)) computed.push([name, compiled.evaluate])
  }
  if (computed.length === 0) return { constant }
  return {
    evaluate: (scope, room) => {
      const result = { ...constant }
      for (const [name, evaluate] of computed) result[name] = evaluate(scope, room)
      return result
    },
  }
}
