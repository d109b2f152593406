import { Expression, source } from './expression.ts'

type Path = readonly (string | number)[]

/**
 * A place in what expressions see: `input`, `input.customer`, `steps.charge`. Members of a known type are properties; any
 * member is reached by calling it: `steps.charge('id')`, `input('lines', 0, 'sku')`.
 */
export type Ref<T = unknown> = Expression<T> & Members<T> & ((...path: Path) => Ref)

type Members<T> = unknown extends T
  ? object
  : NonNullable<T> extends readonly unknown[] | string | number | boolean
    ? object
    : { readonly [K in keyof NonNullable<T> & string]-?: Member<NonNullable<T>[K]> }

type Member<T> = unknown extends T ? Ref : undefined extends T ? Maybe<NonNullable<T>> : Ref<T>

declare const mayBe: unique symbol

/**
 * A place that may not be there: an optional member, the output of a step in an earlier choice, or of the step that is being
 * undone. `has` asks, `orElse` gives a value instead; within `cel` it may stand after a check.
 */
export interface Maybe<T = unknown> {
  (...path: Path): Maybe
  readonly [mayBe]: T
}

/** Under a symbol, as every name may be that of a member. */
const pathKey: unique symbol = Symbol('path')

/** @param path the top-level name, then members and positions */
export function ref<T>(...path: Path): Ref<T> {
  const text = path.reduce<string>((before, member, i) => (i === 0 ? String(member) : before + access(member)), '')
  const own: Readonly<Record<string | symbol, unknown>> = {
    [source]: text,
    [pathKey]: path,
    [Symbol.toPrimitive]: () => `\${${text}}`,
    toString: () => `\${${text}}`,
    toJSON: () => `\${${text}}`,
  }
  return new Proxy((...more: Path) => ref(...path, ...more), {
    get: (_, name) =>
      Object.hasOwn(own, name) ? own[name] : typeof name === 'string' ? ref(...path, name) : undefined,
    getPrototypeOf: () => Expression.prototype,
  }) as unknown as Ref<T>
}

export function pathOf(place: Ref | Maybe): Path {
  return (place as unknown as { readonly [pathKey]: Path })[pathKey]
}

function access(member: string | number): string {
  if (typeof member === 'number') return `[${member}]`
  return isWord(member) ? `.${member}` : `[${JSON.stringify(member)}]`
}

/** What the language takes after a dot. */
export function isWord(member: string | number): member is string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(String(member)) && !['true', 'false', 'null', 'in'].includes(String(member))
}
