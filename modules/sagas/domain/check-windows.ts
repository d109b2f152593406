import { type Placed, placeSteps, relate } from './check-flow.ts'
import type { Path, Problems } from './check-problems.ts'
import type { ParticipantRequest, SagaDefinition } from './definition.ts'
import { durationMs } from './duration.ts'
import { defaultKeyWindow, defaultTimeout } from './plan.ts'
import { afterPivotRetry, backoffMs, forwardRetry, type Retry, retryOf, undoRetry } from './retry.ts'

/**
 * Adds the calls that may be tried for longer than their participant knows a key, without a lookup. Each is legal: attempts that
 * certainly did nothing go on. But once one may have taken effect, only a person can tell when the window is over.
 */
export function checkWindows(definition: SagaDefinition, problems: Problems): void {
  const placed = placeSteps(definition)
  for (const one of placed) {
    const { step, path } = one
    if (!('call' in step)) continue
    const forward = retryOf(
      step.retry,
      step.retry === undefined && mayFollowPivot(one, placed) ? afterPivotRetry : forwardRetry,
    )
    checkCall(definition, { request: step.call, timeout: step.timeout, retry: forward }, [...path, 'retry'], problems)
    const { compensate } = step
    if (!compensate) continue
    const undo = { request: compensate, timeout: compensate.timeout, retry: retryOf(compensate.retry, undoRetry) }
    checkCall(definition, undo, [...path, 'compensate', 'retry'], problems)
  }
}

interface TriedCall {
  readonly request: ParticipantRequest
  readonly timeout: string | undefined
  readonly retry: Retry
}

function checkCall(
  definition: SagaDefinition,
  { request, timeout, retry }: TriedCall,
  at: Path,
  problems: Problems,
): void {
  const settings = definition.participants?.[request.participant]
  if (!settings || settings.lookup) return
  const window = settings.keyWindow ?? defaultKeyWindow
  const spanMs = longestMs(retry, durationMs(timeout ?? settings.timeout ?? defaultTimeout))
  if (spanMs <= durationMs(window)) return
  const hours = Math.ceil(spanMs / 3_600_000)
  problems.add(
    at,
    `is tried for up to ${hours}h, and ${request.participant} knows a key for ${window}: when an attempt may have taken effect and ` +
      'that is over, a person has to find out (RECONCILE). Give the participant a longer keyWindow, if it has one, or a lookup; or try for less long',
  )
}

/** From the first attempt to the begin of the last, when each takes its whole timeout. */
function longestMs(retry: Retry, timeoutMs: number): number {
  let ms = 0
  for (let n = 1; n < retry.attempts && ms < retry.withinMs; n++) ms += timeoutMs + backoffMs(retry, n, 0)
  return Math.min(ms, retry.withinMs)
}

const mayFollowPivot = (one: Placed, all: readonly Placed[]): boolean =>
  all.some((other) => 'call' in other.step && other.step.pivot === true && relate(other, one) === 'before')
