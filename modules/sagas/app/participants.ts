import type { Participant } from '../domain/definition.ts'
import type { Json } from '../domain/json.ts'

/** One request to a participant, all expressions filled in. */
export interface Outgoing {
  readonly tenant: string
  /** `<saga name>/<participant>`: breakers and bulkheads are kept for each, apart for undo. */
  readonly participant: string
  readonly settings: Participant
  readonly undo: boolean
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent for none. */
  readonly body?: Json | undefined
  /** The same for all attempts of a step in one direction. */
  readonly idempotencyKey: string
  /** Fencing number of the saga's owner; grows with each change of the owner. */
  readonly fence: string
  readonly traceparent?: string | undefined
  readonly timeoutMs: number
}

/**
 * How a request ended, as far as can be known.
 * `answered`: any HTTP status; `body` is parsed JSON, or text, absent when there is none. With `unusable` the status came,
 * and its body could not be used (too large, not what its type says).
 * `postponed`: not sent, and no attempt: the breaker is open or the bulkhead is full. Try again after `afterMs`.
 * `refused`: certainly not sent: the address is forbidden, unknown, or nothing listens there.
 * `unknown`: it may have taken effect: timed out, cut off, or aborted after bytes may have left.
 */
export type Outcome =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body?: Json | undefined
      readonly unusable?: string
    }
  | { readonly kind: 'postponed'; readonly afterMs: number; readonly why: string }
  | { readonly kind: 'refused'; readonly permanent: boolean; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string }

/** Calls participants over HTTP. Never throws for what the other side does. */
export interface Participants {
  call(request: Outgoing, signal: AbortSignal): Promise<Outcome>
  /** Why a participant is not being called at the moment (breaker, bulkhead), when it is not. */
  blocked(participant: string, undo: boolean): string | undefined
  close(): Promise<void>
}
