import type { Call } from './call.ts'

/**
 * A call port is an interface whose methods all have the shape `(input, call) => Promise<output>`; its description lists
 * the methods by name, for adapters that cross a process boundary. Methods are identified by name; changes within a
 * major version are additive.
 */
export type PortMethod = (input: never, call: Call) => Promise<unknown>

export interface MethodDescription {
  /** May be sent again when the outcome is unknown. */
  readonly idempotent: boolean
  /** Default time budget, ms. */
  readonly budgetMs: number
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
