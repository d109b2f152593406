import { CallWindow } from './call-window.ts'

export type State = 'serving' | 'ejected' | 'trial'

/** The first time out, and the longest, ms. */
const [firstOutMs, longestOutMs] = [5_000, 60_000]

/** After that long in service without a fault an instance starts from the first time out again, ms. */
const forgiveMs = 60_000

/** For how long a trial is waited for before another call is tried, ms. */
const trialMs = 1_000

/*
 * How one instance stands. All times are monotonic, ms.
 *
 *   serving → ejected → trial → serving
 *                             → ejected, for twice as long
 */
export class Standing {
  readonly calls = new CallWindow()
  state: State = 'serving'
  /** Why it was ejected. */
  reason = ''
  /** Calls that began before say nothing about it as it is now. */
  since = Number.NEGATIVE_INFINITY
  /** When the next trial is due. */
  until = 0
  #outMs = 0

  /** Also after a failed trial. */
  eject(reason: string, now: number): void {
    const again = this.state === 'trial' || now - this.since < forgiveMs
    this.#outMs = again && this.#outMs > 0 ? Math.min(this.#outMs * 2, longestOutMs) : firstOutMs
    this.state = 'ejected'
    this.reason = reason
    this.until = now + this.#outMs
  }

  /** One call is sent there. Without a report of it the next one is due a second later. */
  try(now: number): void {
    this.state = 'trial'
    this.since = now
    this.until = now + trialMs
  }

  admit(now: number): void {
    this.state = 'serving'
    this.since = now
    this.calls.clear()
  }
}
