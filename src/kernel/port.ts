import type { Call } from './call.ts'

/**
 * A call port is an interface whose methods all have the shape `(input, call) => Promise<output>`; its description lists
 * the methods by name, for adapters that cross a process boundary. Methods are identified by name; changes within a
 * major version are additive.
 *
 * What crosses a port is a JSON value: null, booleans, finite numbers, strings, arrays and plain objects of these. A member
 * that is undefined is a member that is missing. Bytes (Uint8Array) may only be members of the top level of an input or an
 * output. Anything else (bigint, Date, Map, a class of one's own) works in process and is refused by adapters that encode.
 * Nobody changes what was handed over, an input or an answer, neither who gave it nor who was given it: in process both have
 * the same object. The bytes of an input are 32 MiB at most, over every adapter (BODY_TOO_LARGE).
 */
export type PortMethod = (input: never, call: Call) => Promise<unknown>

export interface MethodDescription {
  /** May be sent again when the outcome is unknown. */
  readonly idempotent: boolean
  /** Default time budget, ms. */
  readonly budgetMs: number
  /**
   * Resolves with an AsyncIterable of JSON values. The budget covers the time until it resolves; the stream then lasts until
   * either side ends it, or the call's signal does.
   */
  readonly streams?: true
}

export interface CallPort<P extends object> {
  readonly name: string
  readonly version: number
  readonly methods: { readonly [M in keyof P]: MethodDescription }
}

/** Describes a call port. The in-process adapter needs no more than this: a plain forwarded call. */
export function defineCallPort<P extends object>(
  name: string,
  version: number,
  methods: CallPort<P>['methods'],
): CallPort<P> {
  return Object.freeze({ name, version, methods: Object.freeze(methods) })
}
