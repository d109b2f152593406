import type { SagaState } from './state.ts'

/** How much earlier than a saga that no event started an event may have come that it waits for, ms. */
const earlierMs = 5_000

/** Events count for the saga's steps that were received then or later, ms since the epoch; its own event is the first. */
export function eventsSince({ origin, at }: SagaState): number {
  return origin.received ?? at - (origin.lag ?? 0) - earlierMs
}

/**
 * How far a saga lags behind the events that it may wait for, ms: as much later than its own event it was started. Its children
 * lag as well: an event that came after their start, as far as events go, may have been received long before it.
 */
export function lagOf({ origin, at }: SagaState): number {
  return origin.received === undefined ? (origin.lag ?? 0) : Math.max(0, at - origin.received)
}
