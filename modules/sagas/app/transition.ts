import type { SagaStatus } from '../domain/state.ts'
import type { Message } from './message.ts'

/** What one turn of a saga writes, all of it or nothing. */
export interface Transition {
  readonly tenant: string
  readonly id: string
  /** Fencing number of the worker that owns the saga: with another one in the row the transition is refused. */
  readonly fence: string
  /** Transitions before this one. */
  readonly seq: number
  /** New lines of the journal (domain/entry.ts), newest first. */
  readonly lines: string
  readonly status: SagaStatus
  /** What keeps the saga from going on, for people. */
  readonly problem: string | null
  /** Given free: owned by nobody from now on, and to be looked at when due (ms since the epoch), if ever. */
  readonly release: { readonly dueAt: number | null } | undefined
  /** Messages that were looked for up to this count; newer ones make a saga that is given free due at once. */
  readonly mailSeen: number
  /** Messages that were taken in. */
  readonly mailTaken: readonly string[]
  /** CloudEvents to emit, JSON. */
  readonly outbox: readonly string[]
  /** W3C Trace Context of the turn, when that is recorded; what is emitted belongs to it. */
  readonly traceparent?: string
  /** Of a saga that has ended, ms since the epoch. */
  readonly endedAt: number | null
  /** Set with the transition that ends the saga. */
  readonly end: SagaEnd | undefined
}

export interface SagaEnd {
  /** It may hold locks or wait for events: what is left of these is given up. */
  readonly holdings: boolean
  /** To whom the end is told. */
  readonly parent: { readonly id: string; readonly message: Message } | undefined
}

/** The first transition of a saga, which makes it. */
export interface Start extends Transition {
  readonly name: string
  readonly version: number
  /** Of two starts with the same key the second makes nothing: an Idempotency-Key or an event, hashed. */
  readonly key: Uint8Array | undefined
  /** What participants know it by, if not by its id. */
  readonly alias: string | undefined
  /** The key is that of an event. */
  readonly event: boolean
}

export const isStart = (one: Transition): one is Start => 'version' in one

/**
 * What became of a transition. `kept`: durable; `mail` is the count of messages ever sent to the saga. `lost`: refused, as
 * the saga has another owner now. `exists`: nothing was made, as the key has made a saga before.
 */
export type Committed =
  | { readonly kind: 'kept'; readonly mail: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'exists'; readonly sagaId: string }
