import type { Operation } from '../order.ts'

/** How an operation is to misbehave. */
export interface Misbehaviour {
  /** The effect and the answer come this much later, also when the caller has left. */
  readonly delayMs?: number
  /** Takes effect, and never answers. */
  readonly hangs?: boolean
  /** Answers this status without an effect, and remembers nothing. */
  readonly status?: number
}

export type Misbehaviours = { readonly [O in Operation]?: Misbehaviour }

/* What the bench asks the participant. */
export type Question =
  /** → the URL that it listens on */
  | { kind: 'listen' }
  /** From now on; what is not named behaves. → null */
  | { kind: 'misbehave'; how: Misbehaviours }
  /** → Audit of everything since the start */
  | { kind: 'audit' }
