import type { Clock, Health } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'
import type { Probe } from './probe.ts'

/** A child that does not answer for so long is not on its way back, ms. */
const goneMs = 10_000
/** So many ends within this time, ms, are a loop. */
const [loopEnds, loopMs] = [3, 30_000]

/**
 * A server that keeps data. One that runs elsewhere is degraded while it is away: it comes back without us. One that is a child of
 * this process is ours to keep up: when it hangs, or ends again and again, this process is wedged.
 */
export class EngineHealth {
  readonly #probe: Probe
  readonly #own: boolean
  readonly #clock: Clock
  /** When it ended, unasked; the latest few. */
  #ends: number[] = []

  constructor(probe: Probe, own: boolean, clock: Clock) {
    this.#probe = probe
    this.#own = own
    this.#clock = clock
  }

  /** The child ended and is being started again. */
  readonly ended = (): void => {
    this.#ends = [...this.#ends, this.#clock.monotonic()].slice(-loopEnds)
  }

  readonly health = (now: number): Health => {
    if (this.#ends.length === loopEnds && now - this.#ends[0]! < loopMs) {
      return { state: 'down', reason: `it ended ${loopEnds} times within ${seconds(loopMs)}` }
    }
    const reason = this.#probe.trouble(now)
    if (reason === undefined) return { state: 'ok' }
    const failingMs = this.#probe.failingMs(now)
    if (failingMs > 0) {
      const state = this.#own && failingMs >= goneMs ? 'down' : 'degraded'
      return { state, reason: `${reason}, for ${seconds(failingMs)}` }
    }
    return { state: 'degraded', reason }
  }
}
