import { Expression, source } from './expression.ts'
import { isWord, type Maybe, pathOf, type Ref, ref } from './ref.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/**
 * An expression in the Common Expression Language: cel`${input.total} * 2 > ${limit}`. Places and expressions stand in it as
 * they are, other values as literals, so that text needs no quotes and cannot break out of them.
 */
export function cel<T = unknown>(
  text: TemplateStringsArray,
  ...values: readonly (Expression | Maybe | Json)[]
): Expression<T> {
  return new Expression(text.raw.reduce((before, piece, i) => before + literal(values[i - 1]!) + piece))
}

/** Whether it is there. @throws TypeError when a part of its path is no plain name */
export function has(place: Ref | Maybe): Expression<boolean> {
  const [top, ...members] = pathOf(place)
  if (members.length === 0 || !members.every(isWord)) {
    throw new TypeError(`has() asks for a member with a plain name, not for ${(place as Ref)[source]}`)
  }
  // Each level by itself: to ask for a member of what is not there is an error.
  const checks = members.map((_, i) => `has(${ref(top!, ...members.slice(0, i + 1))[source]})`)
  return new Expression(checks.join(' && '))
}

/** What is there, or else this. */
export function orElse<T, U extends Expression | Json>(
  place: Ref<T> | Maybe<T>,
  otherwise: U,
): Expression<T | (U extends Expression<infer E> ? E : U)> {
  const [top, ...members] = pathOf(place)
  const optional = members.map((member) => (isWord(member) ? `.?${member}` : `[?${JSON.stringify(member)}]`))
  return new Expression(`${top}${optional.join('')}.orValue(${literal(otherwise)})`)
}

function literal(value: Expression | Maybe | Json): string {
  if (!(value instanceof Expression)) return JSON.stringify(value)
  // Within another expression it stays together.
  return /^[\w.[\]"]+$/.test(value[source]) ? value[source] : `(${value[source]})`
}
