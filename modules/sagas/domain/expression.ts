import { newRoom } from './expression-budget.ts'
import { compileCel } from './expression-cel.ts'
import { asText, type Compiled, compile, compileParts, kindOf, roomBeside, type Scope } from './expression-compile.ts'
import { ExpressionError } from './expression-error.ts'
import { type Reference, referencesOf } from './expression-references.ts'
import { checkHeaderValue, checkRequestPath, encodeInPath } from './expression-request.ts'
import { excerpt, splitTemplate } from './expression-template.ts'
import type { Json } from './json.ts'

export type { Scope } from './expression-compile.ts'
export { ExpressionError } from './expression-error.ts'

type Names = readonly string[]

/**
 * Compiles a JSON value whose strings may hold `${ … }`. A string that is nothing but one expression becomes its value, with
 * its type; any other becomes text. `$${` stands for `${`. With `names`, expressions may use no other top-level name.
 * @throws ExpressionError when an expression does not parse; the compiled function, when one cannot be evaluated
 */
export function compileTemplate(value: Json, names?: Names): (scope: Scope) => Json {
  return ready(compile(value, names), value)
}

/**
 * As compileTemplate for one string, and the result is always text: numbers and booleans are written out, null, lists and maps
 * refused.
 */
export function compileText(text: string, names?: Names): (scope: Scope) => string {
  return ready(compileParts(splitTemplate(text), names, asText), text)
}

/**
 * As compileText for the path of a request, with its query. Values are percent-encoded, so that none of them ends a segment or
 * begins the query; the compiled function refuses those that would make it another path: empty ones, and `.` and `..`.
 */
export function compilePath(text: string, names?: Names): (scope: Scope) => string {
  const evaluate = ready(compileParts(splitTemplate(text), names, encodeInPath), text)
  return (scope) => checkRequestPath(evaluate(scope))
}

/** As compileText for the value of an HTTP header; the compiled function refuses what cannot be sent, such as line breaks. */
export function compileHeader(text: string, names?: Names): (scope: Scope) => string {
  const evaluate = compileText(text, names)
  return (scope) => checkHeaderValue(evaluate(scope))
}

/** Compiles one expression, bare or as `${…}`. @throws as compileTemplate */
export function compileValue(text: string, names?: Names): (scope: Scope) => Json {
  const expression = compileCel(soleExpression(text), names)
  return (scope) => expression.evaluate(scope, newRoom())
}

/** As compileValue; the compiled function throws ExpressionError also when the value is no boolean. */
export function compileCondition(text: string, names?: Names): (scope: Scope) => boolean {
  const evaluate = compileValue(text, names)
  return (scope) => {
    const value = evaluate(scope)
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
  names: Names,
): (Reference | undefined)[] {
  const sources = form === 'expression' ? [soleExpression(text)] : sourcesOf(text)
  return sources.flatMap((source) => referencesOf(compileCel(source, names).ast, of))
}

function ready<T extends Json>(compiled: Compiled<T>, template: Json): (scope: Scope) => T {
  const room = roomBeside(template)
  if ('constant' in compiled) return () => compiled.constant
  return (scope) => compiled.evaluate(scope, room())
}

const sourcesOf = (text: string) => splitTemplate(text).flatMap((part) => ('source' in part ? [part.source] : []))

function soleExpression(text: string): string {
  if (!text.trimStart().startsWith('${')) return text
  const [only, ...others] = splitTemplate(text.trim())
  if (only !== undefined && 'source' in only && others.length === 0) return only.source
  throw new ExpressionError(`One expression is expected, not text around expressions: ${excerpt(text)}`)
}
