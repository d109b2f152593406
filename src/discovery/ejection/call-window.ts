import { type Calls, SlidingWindow } from '../../health/sliding-window.ts'
import type { Outcome } from '../resolver.ts'

export type { Calls } from '../../health/sliding-window.ts'

export const isError: ReadonlySet<Outcome> = new Set(['failed', 'unreachable', 'lost', 'late'])

/** No connection, or a broken one, says nothing about how fast calls are. */
const hasTime: ReadonlySet<Outcome> = new Set(['answered', 'failed', 'late'])

/** What the calls to one instance were like in the last 10 s. */
export class CallWindow {
  readonly #calls = new SlidingWindow(10)

  /** `now` is monotonic, ms. A refused call is neither good nor bad: an instance that stops or is full is not broken. */
  add(outcome: Outcome, ms: number, now: number): void {
    if (outcome === 'refused') return
    this.#calls.add(isError.has(outcome), hasTime.has(outcome) ? ms : undefined, now)
  }

  read(now: number): Calls {
    return this.#calls.read(now)
  }

  clear(): void {
    this.#calls.clear()
  }
}
