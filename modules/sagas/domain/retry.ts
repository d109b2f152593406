import type { RetryPolicy } from './definition.ts'
import { durationMs } from './duration.ts'

/** Exponential backoff with jitter, in ms. */
export interface Retry {
  readonly attempts: number
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
  readonly jitter: number
  /** From the first attempt to the begin of the last. */
  readonly withinMs: number
}

const minute = 60_000
const day = 86_400_000

/** A step that can still be undone gives up after some minutes. */
export const forwardRetry: Retry = {
  attempts: 8,
  initialMs: 200,
  factor: 2,
  maxMs: 30_000,
  jitter: 0.5,
  withinMs: 5 * minute,
}
/** There is no way back: what follows the pivot is tried for long. */
export const afterPivotRetry: Retry = { ...forwardRetry, attempts: 1_000, maxMs: 5 * minute, withinMs: 7 * day }
/** An undo is owed, so it gets more than the step itself. */
export const undoRetry: Retry = { ...forwardRetry, attempts: 100, maxMs: minute, withinMs: day }

/** The policy of a definition, with what it leaves open taken from `base`. */
export function retryOf(policy: RetryPolicy | undefined, base: Retry): Retry {
  if (!policy) return base
  const ms = (text: string | undefined, otherwise: number) => (text === undefined ? otherwise : durationMs(text))
  return {
    attempts: policy.attempts ?? base.attempts,
    initialMs: ms(policy.initial, base.initialMs),
    factor: policy.factor ?? base.factor,
    maxMs: ms(policy.max, base.maxMs),
    jitter: policy.jitter ?? base.jitter,
    withinMs: ms(policy.within, base.withinMs),
  }
}

/** How the attempts went so far: `firstAt` and `t` (now) in ms since the saga's start. */
export interface Past {
  readonly attempts: number
  readonly firstAt: number
  readonly t: number
}

/** When the next attempt is due, not before `leastMs` from now; undefined when the budget does not allow it. */
export function nextDue(retry: Retry, past: Past, fraction: number, leastMs = 0): number | undefined {
  if (past.attempts >= retry.attempts) return undefined
  const due = past.t + Math.max(leastMs, backoffMs(retry, past.attempts, fraction))
  return due - past.firstAt > retry.withinMs ? undefined : due
}

/**
 * The wait after so many attempts, ms. `fraction` is random in [0, 1): with jitter 0.5 the wait is between half and all of what
 * the exponential says.
 */
export function backoffMs({ initialMs, factor, maxMs, jitter }: Retry, attempts: number, fraction: number): number {
  const grown = initialMs * Math.min(factor ** (attempts - 1), Number.MAX_VALUE)
  return Math.round(Math.min(maxMs, grown) * (1 - jitter * fraction))
}
