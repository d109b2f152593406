import type { Health } from '@splitstream/kernel'
import type { Calls } from './sliding-window.ts'

/*
 * How a dependency is, judged by the calls of the last 10 s, or of the last 30 s where there are few. States:
 *
 *   ok ⇄ degraded ⇄ down
 *
 *              begins when                                       ends when
 *   down       half of 5 or more calls failed, or the only ones  less than a quarter fails, and it answers
 *              under way have waited for `hungMs`, or it does
 *              not answer the probe
 *   degraded   a tenth of 5 or more calls failed, or one in a    less than a twentieth fails, and the p99 is
 *              hundred of 20 or more took longer than `slowMs`   below 0.7 × `slowMs`
 *
 * The limits for leaving lie below those for entering, and a state that was entered holds for 5 s, so that a dependency at a limit
 * does not flap. One call says nothing: there have to be 5, or 20 for times. Without calls nothing speaks against it.
 */
export interface Signs {
  readonly calls: Calls
  /** Over which they were counted. */
  readonly seconds: number
  /** For how long nothing was answered while something waits for an answer, ms. */
  readonly silentMs: number
  /** Why the probe fails, if it does. */
  readonly probe: string | undefined
}

export interface StateLimits {
  /** A p99 above it is bad, ms. */
  readonly slowMs: number
  /** Nothing that is asked here takes so long, ms; infinite when something may. */
  readonly hungMs: number
}

type State = Health['state']

/** Fewer calls say nothing of errors; and nothing of times. */
export const leastCalls = 5
const leastTimed = 20
const down = { enter: 0.5, leave: 0.25 }
const degraded = { enter: 0.1, leave: 0.05 }
const leaveSlow = 0.7
const holdMs = 5_000

export class DependencyState {
  readonly #limits: StateLimits
  #state: State = 'ok'
  #reason: string | undefined
  #since = Number.NEGATIVE_INFINITY

  constructor(limits: StateLimits) {
    this.#limits = limits
  }

  /** @param now monotonic, ms */
  update(signs: Signs, now: number): Health {
    const { state, reason } = this.#judge(signs)
    if (rank[state] < rank[this.#state] && now - this.#since < holdMs) return this.#current()
    if (state !== this.#state) this.#since = now
    this.#state = state
    this.#reason = reason
    return this.#current()
  }

  #current(): Health {
    return this.#reason === undefined ? { state: this.#state } : { state: this.#state, reason: this.#reason }
  }

  #judge({ calls, seconds: within, silentMs, probe }: Signs): Health {
    const { slowMs, hungMs } = this.#limits
    if (probe !== undefined) return { state: 'down', reason: probe }
    if (silentMs >= hungMs) return { state: 'down', reason: `no answer for ${seconds(silentMs)}` }
    const rate = calls.count >= leastCalls ? calls.errors / calls.count : 0
    const failed = `${calls.errors} of ${calls.count} calls failed in ${within} s`
    if (rate > 0 && rate >= (this.#state === 'down' ? down.leave : down.enter)) return { state: 'down', reason: failed }
    const calm = this.#state === 'ok'
    if (rate > 0 && rate >= (calm ? degraded.enter : degraded.leave)) return { state: 'degraded', reason: failed }
    const p99 = calls.timed >= leastTimed ? calls.p99 : 0
    if (p99 > slowMs * (calm ? 1 : leaveSlow)) return { state: 'degraded', reason: `its p99 is ${Math.round(p99)} ms` }
    return { state: 'ok' }
  }
}

export const rank: Readonly<Record<State, number>> = { ok: 0, degraded: 1, down: 2 }

/** For people: `7 s`. */
export const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`
