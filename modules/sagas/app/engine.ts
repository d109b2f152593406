import type { Tracer } from '@splitstream/kernel'
import type { Act, Chance, Turn } from '../domain/turn.ts'
import type { Holdings } from './holdings.ts'
import type { Instance } from './instance.ts'
import type { Participants } from './participants.ts'
import type { Committed, Transition } from './transition.ts'

/** What a saga in memory needs from the worker that owns it. */
export interface Engine {
  readonly participants: Participants
  readonly holdings: Holdings
  readonly chance: Chance
  readonly tracer: Tracer
  /** Nothing is begun any more; what is on its way is taken in. */
  readonly stopping: boolean
  /** There is little room left for others: a saga that has nothing to do for a moment is given free. */
  readonly crowded: boolean
  /** The lease of this signal still holds, by the clock and not only by what was noticed so far. */
  holds(signal: AbortSignal): boolean
  /** The database's clock, ms since the epoch. */
  now(): number
  /** This process's clock, ms since anywhere: it never goes back. */
  monotonic(): number
  /** Durable, or refused. @throws AppError when Postgres refuses what the transition says */
  commit(transition: Transition): Promise<Committed>
  /** Makes the child saga of a step, if it is not there yet. */
  startChild(saga: Instance, child: Extract<Act, { kind: 'child' }>): void
  /** A turn was committed. */
  observe(saga: Instance, turn: Turn): void
  /** Mail came for sagas that may be here. */
  readMail(ids: readonly string[]): void
  /** A saga is due, and nobody owns it. */
  due(id: string): void
  /** The saga is not in this worker's memory any more. */
  forget(saga: Instance): void
  /** Something went wrong that should not: the saga is given free, and tried again later. */
  abandon(saga: Instance, error: unknown): void
}
