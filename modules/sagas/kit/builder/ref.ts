import { Expression } from './expression.ts'

/**
 * A place in what expressions see: `input`, `input.customer`, `steps.charge`. Members of a known type are properties; any
 * member is reached by calling it: `steps.charge('id')`, `input('lines', 0, 'sku')`.
 */
export type Ref<T = unknown> = Expression<T> & Members<T> & ((...path: readonly (string | number)[]) => Ref)

type Members<T> = unknown extends T
  ? object
  : NonNullable<T> extends readonly unknown[]
    ? object
    : NonNullable<T> extends object
      ? { readonly [K in keyof NonNullable<T> & string]-?: Ref<NonNullable<T>[K]> }
      : object

/**
 * A place that may not be there: the output of a step in a choice, or of the step that is being undone. `has` asks, `orElse`
 * gives a value instead; within `cel` it may stand after a check of one's own.
 */
export interface Maybe<T = unknown> {
  (...path: readonly (string | number)[]): Maybe
  readonly maybe: T
}

type Path = readonly (string | number)[]

/** Where the path of a place is kept: a symbol, as every name may be that of a member. */
const pathOf: unique symbol = Symbol('path')

interface Place {
  readonly [pathOf]: Path
}

/** @param path the top-level name, then members and positions */
export function ref<T>(...path: Path): Ref<T> {
  const source = sourceOf(path)
  const own: Readonly<Record<string | symbol, unknown>> = {
    source,
    toString: () => `\${${source}}`,
    toJSON: () => `\${${source}}`,
    [Symbol.toPrimitive]: () => `\${${source}}`,
    [pathOf]: path,
  }
  return new Proxy((...more: Path) => ref(...path, ...more), {
    get: (_, name) => (Object.hasOwn(own, name) ? own[name] : typeof name === 'string' ? ref(...path, name) : undefined),
    getPrototypeOf: () => Expression.prototype,
  }) as unknown as Ref<T>
}

export function pathIn(place: Ref | Maybe): Path {
  return (place as unknown as Place)[pathOf]
}

function sourceOf([top, ...members]: Path): string {
  return members.reduce<string>((source, member) => source + access(member), String(top))
}

function access(member: string | number): string {
  if (typeof member === 'number') return `[${member}]`
  return isWord(member) ? `.${member}` : `[${JSON.stringify(member)}]`
}

/** What the language takes after a dot. */
const isWord = (text: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !['true', 'false', 'null', 'in'].includes(text)

/** The same place, read only as far as it is there. */
export function optionalSourceOf(place: Ref | Maybe): string {
  const [top, ...members] = pathIn(place)
  return members.reduce<string>((source, member) => {
    return source + (typeof member === 'string' && isWord(member) ? `.?${member}` : `[?${JSON.stringify(member)}]`)
  }, String(top))
}
