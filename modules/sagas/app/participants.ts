import type { Participant } from '../domain/definition.ts'
import type { Json } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'

export type { Outcome } from '../domain/outcome.ts'

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
  /** A call that takes longer counts against its participant, ms; the breaker's own limit when not given. */
  readonly slowMs?: number
}

/** Calls participants over HTTP. Never throws for what the other side does. */
export interface Participants {
  call(request: Outgoing, signal: AbortSignal): Promise<Outcome>
  /** Why a participant is not being called at the moment (breaker, bulkhead), when it is not. */
  blocked(tenant: string, participant: string, undo: boolean): string | undefined
  close(): Promise<void>
}
