import { Expression } from './expression.ts'
import { type Maybe, optionalSourceOf, type Ref } from './ref.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/**
 * An expression in the Common Expression Language: cel`${input.total} * 2 > ${limit}`. Places and expressions stand in it as
 * they are, other values as literals, so that text needs no quotes and cannot break out of them.
 */
export function cel<T = unknown>(
  text: TemplateStringsArray,
  ...values: readonly (Expression | Maybe | Json)[]
): Expression<T> {
  return new Expression(text.raw.reduce((source, piece, i) => source + sourceFor(values[i - 1]!) + piece))
}

/** Whether it is there. */
export function has(place: Ref | Maybe): Expression<boolean> {
  return new Expression(`${optionalSourceOf(place)}.hasValue()`)
}

/** What is there, or else this. */
export function orElse<T, U extends Expression | Json>(
  place: Ref<T> | Maybe<T>,
  otherwise: U,
): Expression<T | (U extends Expression<infer E> ? E : U)> {
  return new Expression(`${optionalSourceOf(place)}.orValue(${sourceFor(otherwise)})`)
}

function sourceFor(value: Expression | Maybe | Json): string {
  if (typeof value === 'function' || value instanceof Expression) return grouped((value as Expression).source)
  return JSON.stringify(value)
}

/** Within another expression it stays together. */
function grouped(source: string): string {
  return /^[\w.[\]"]+$/.test(source) ? source : `(${source})`
}
