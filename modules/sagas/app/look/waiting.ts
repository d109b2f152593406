import type { Action } from '../../domain/entry.ts'
import type { Json } from '../../domain/json.ts'
import type { SagaStatus } from '../../domain/state.ts'

/** One thing that a saga waits for: why it does not go on, and what would let it. */
export interface Waiting {
  /**
   * The `answer` to a call that is on its way, the next attempt (`retry`), an `instant`, an `event`, a `lock`, a `child` saga,
   * the `undo` of another step, an `operator`, or a `worker` to take the saga over.
   */
  readonly for: 'answer' | 'retry' | 'instant' | 'event' | 'lock' | 'child' | 'undo' | 'operator' | 'worker'
  /** Null when it is the saga as a whole. */
  readonly step: string | null
  /** Whether it is the undo of the step that waits. */
  readonly undo: boolean
  readonly since: string
  /** When it ends by itself, or the next attempt is due; null when nobody can say. */
  readonly until: string | null
  readonly detail: string
  /** Why the participant is not being called at the moment: its breaker is open, or as many calls run as may. */
  readonly blocked?: string
  readonly event?: { readonly type: string; readonly match: Readonly<Record<string, Json>> | null }
  readonly lock?: { readonly key: string; readonly holder: { readonly saga: string; readonly since: string } | null }
  /** Without a status it is not there yet. */
  readonly child?: { readonly id: string; readonly status: SagaStatus | null; readonly problem: string | null }
  /** What an operator may order for the step. */
  readonly actions?: readonly Action[]
}

/** What is not in the saga itself: who else has to do with what it waits for. */
export interface Surroundings {
  /** Why a participant is not being called at the moment, if that is so. */
  blocked(participant: string, undo: boolean): string | undefined
  /** Who holds a lock. */
  holder(key: string): { readonly sagaId: string; readonly since: Date } | undefined
  child(id: string): { readonly status: SagaStatus; readonly problem: string | null } | undefined
}
