/** Keys that no member of an input or output can have. */
export const source: unique symbol = Symbol('source')
declare const gives: unique symbol

/**
 * An expression of a definition. In a template literal and in JSON it is `${ … }`, so it can stand wherever a definition takes
 * an expression: as a whole value, or within text (`/orders/${input.id}`). `T` is what it gives, for the compiler alone.
 */
export class Expression<T = unknown> {
  /** In the Common Expression Language. */
  readonly [source]: string
  declare readonly [gives]: T

  constructor(text: string) {
    this[source] = text
  }

  toString(): string {
    return `\${${this[source]}}`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** JSON in which expressions may stand for any part. Members that are undefined are left out. */
export type Template =
  | null
  | boolean
  | number
  | string
  | Expression
  | readonly Template[]
  | { readonly [name: string]: Template | undefined }

/** What a template becomes. */
export type Given<T> =
  T extends Expression<infer E>
    ? E
    : T extends readonly (infer I)[]
      ? Given<I>[]
      : T extends object
        ? { [K in keyof T]: Given<T[K]> }
        : T
