import { durationMs } from '../../domain/duration.ts'
import type { Json } from '../../domain/json.ts'
import type { Outcome } from '../../domain/outcome.ts'

/** What a participant of a test does with a request. */
export type Reply = Answer | Silence

export interface Answer {
  readonly status: number
  readonly body?: Json
  readonly headers?: Readonly<Record<string, string>>
  /** Virtual time that it takes, such as 300ms; none when not given. Longer than the timeout: nobody waits for it. */
  readonly after?: string
  /** The body came, and cannot be used: too large, or not what its type says. */
  readonly unusable?: string
  /** With `unusable`: it did not come to its end. */
  readonly cut?: true
}

/** No answer came. `effect`: it took effect all the same. */
export interface Silence {
  readonly silence: 'hang' | 'reset' | 'unreachable' | 'postponed'
  readonly effect?: boolean
  readonly after?: string
}

/** It never answers: the call is given up at its timeout. With `effect` it did what was asked. */
export const hang = (options: { readonly effect?: boolean } = {}): Reply => ({ silence: 'hang', ...options })

/** The connection breaks, `after` some time or at once. With `effect` it did what was asked. */
export const reset = (options: { readonly effect?: boolean; readonly after?: string } = {}): Reply => ({
  silence: 'reset',
  ...options,
})

/** Nothing listens there: certainly nothing happened. */
export const unreachable = (): Reply => ({ silence: 'unreachable' })

/** The call is not made: the participant's breaker is open, and is tried again `after` this time. No attempt. */
export const postponed = (after = '30s'): Reply => ({ silence: 'postponed', after })

/** How the call ends, after how many ms, and whether it took effect. */
export interface Ending {
  readonly outcome: Outcome
  readonly afterMs: number
  readonly effect: boolean
}

export function endingOf(reply: Reply, timeoutMs: number): Ending {
  const afterMs = reply.after === undefined ? 0 : durationMs(reply.after)
  const tooLate = {
    outcome: { kind: 'unknown', why: `no answer within ${timeoutMs} ms` },
    afterMs: timeoutMs,
  } as const
  if ('silence' in reply) {
    const { silence, effect = false } = reply
    if (silence === 'hang' || (silence === 'reset' && afterMs > timeoutMs)) return { ...tooLate, effect }
    if (silence === 'reset') return { outcome: { kind: 'unknown', why: 'the connection broke' }, afterMs, effect }
    if (silence === 'postponed') {
      return { outcome: { kind: 'postponed', afterMs, why: 'its breaker is open' }, afterMs: 0, effect: false }
    }
    return { outcome: { kind: 'refused', permanent: false, why: 'connection refused' }, afterMs: 0, effect: false }
  }
  const { status, headers = {}, body, unusable, cut } = reply
  const effect = status >= 200 && status < 300
  if (afterMs > timeoutMs) return { ...tooLate, effect }
  const outcome = {
    kind: 'answered',
    status,
    headers,
    ...(body !== undefined && { body }),
    ...(unusable !== undefined && { unusable }),
    ...(cut && { cut }),
  } as const
  return { outcome, afterMs, effect }
}
