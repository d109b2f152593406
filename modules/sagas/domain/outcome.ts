import type { Effect } from './entry.ts'
import type { Json } from './json.ts'

/**
 * How a request to a participant ended, as far as can be known.
 * `answered`: any HTTP status; `body` is parsed JSON, or text, absent when there is none. With `unusable` the status came,
 * and its body could not be used (too large, not what its type says). `cut`: it did not come to its end, so asking once more with
 * the same key may bring the whole of it.
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
      readonly cut?: true
    }
  | { readonly kind: 'postponed'; readonly afterMs: number; readonly why: string }
  | { readonly kind: 'refused'; readonly permanent: boolean; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string }

/** What an outcome means for the attempt that it ended. */
export type Verdict =
  | { readonly is: 'done' }
  /** Never: asking again gives the same. */
  | { readonly is: 'refused'; readonly code: string; readonly detail: string }
  /** Another attempt may do better. `afterMs`: the least wait that the participant asked for. */
  | {
      readonly is: 'again'
      readonly effect: Effect
      readonly code: string
      readonly detail: string
      readonly afterMs: number
    }

/**
 * Statuses, after RFC 9110 and the Idempotency-Key draft: 2xx is done. 425 and 429 did nothing: again. 408, 409 (a request with
 * this key still runs) and 5xx may have done something, or will: again, with the same key. Any other is a refusal of this
 * request; what attempts before it did, it does not say.
 */
export function judge(outcome: Exclude<Outcome, { kind: 'postponed' }>): Verdict {
  if (outcome.kind === 'unknown') {
    return { is: 'again', effect: 'unknown', code: 'NO_ANSWER', detail: outcome.why, afterMs: 0 }
  }
  if (outcome.kind === 'refused') {
    if (outcome.permanent) return { is: 'refused', code: 'FORBIDDEN_ADDRESS', detail: outcome.why }
    return { is: 'again', effect: 'none', code: 'UNREACHABLE', detail: outcome.why, afterMs: 0 }
  }
  const { status } = outcome
  if (status >= 200 && status < 300) return { is: 'done' }
  const code = `HTTP_${status}`
  const detail = detailOf(status, outcome.body)
  const afterMs = retryAfterMs(outcome.headers['retry-after'])
  if (status === 425 || status === 429) return { is: 'again', effect: 'none', code, detail, afterMs }
  if (status === 408 || status === 409 || status >= 500)
    return { is: 'again', effect: 'unknown', code, detail, afterMs }
  return { is: 'refused', code, detail }
}

/** Participants' problem documents say it best; the text is theirs, so it is cut and kept out of logs. */
function detailOf(status: number, body: Json | undefined): string {
  const said = body !== null && typeof body === 'object' && 'detail' in body ? body.detail : undefined
  return typeof said === 'string' ? `${status}: ${said.slice(0, 200)}` : `the participant answered ${status}`
}

/** Seconds only: a date would need the participant's clock to agree with ours. A day at most. */
function retryAfterMs(header: string | undefined): number {
  return header !== undefined && /^\d{1,5}$/.test(header) ? Math.min(Number(header) * 1000, 86_400_000) : 0
}
