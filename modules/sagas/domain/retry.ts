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

/**
 * When the attempt after `attempts` of them is due, or undefined when there is none: t and `firstAt` in ms since the saga's
 * start. `fraction` is random in [0, 1): with jitter 0.5 the wait is between half and all of what the backoff says.
 */
export function nextDue(
  retry: Retry,
  attempts: number,
  firstAt: number,
  t: number,
  fraction: number,
): number | undefined {
  if (attempts >= retry.attempts) return undefined
  const backoff = Math.min(retry.maxMs, retry.initialMs * retry.factor ** (attempts - 1))
  const due = t + Math.round(backoff * (1 - retry.jitter * fraction))
  return due - firstAt > retry.withinMs ? undefined : due
}
