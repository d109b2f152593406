import { type Maybe, type Ref, ref } from './ref.ts'

/**
 * What the expressions of a step see. `S`: outputs of the steps that are done by then, by id. `M`: of those that may have run.
 */
export interface Scope<I, S, M> {
  readonly input: Ref<I>
  readonly steps: { readonly [Id in keyof S]: Ref<S[Id]> } & { readonly [Id in keyof M]: Maybe<M[Id]> }
  readonly saga: Ref<{ id: string; name: string; startedAt: string }>
}

/** And what those of a call see: its own output, for its `compensate`. It is not there before the call is done. */
export interface CallScope<I, S, M> extends Scope<I, S, M> {
  readonly own: Maybe
}

/** A value, or how to make it from what expressions see. */
export type Made<S, T> = T | ((scope: S) => T)

export function make<S, T extends object>(made: Made<S, T>, scope: S): T {
  return typeof made === 'function' ? (made as (scope: S) => T)(scope) : made
}

const seen = { input: ref('input'), steps: ref('steps'), saga: ref('saga') }

export const scopeOf = <I, S, M>(): Scope<I, S, M> => seen as unknown as Scope<I, S, M>

export const callScopeOf = <I, S, M>(step: string): CallScope<I, S, M> =>
  ({ ...seen, own: ref('steps', step) }) as unknown as CallScope<I, S, M>
