import type { Clock, Health } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'

/** A difference to Postgres’s clock that is too large, and one that is small again, ms. */
const [wrongMs, rightMs] = [30_000, 15_000]
/** A step of the clock that is no correction, and for how long it is told, ms. */
const [jumpMs, toldMs] = [30_000, 10_000]

/**
 * The wall clock, of which events get their times. Postgres's is the one that all processes share: this one must not be far from it.
 * Where both are the same machine's, only a step shows: the wall clock moves and the monotonic one does not.
 */
export class ClockWatch {
  readonly #clock: Clock
  #offset: number
  #jump: { readonly at: number; readonly ms: number } | undefined
  #difference = 0
  #wrong = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
  }

  tick(): void {
    const now = this.#clock.monotonic()
    const offset = this.#clock.now() - now
    const ms = offset - this.#offset
    this.#offset = offset
    if (Math.abs(ms) >= jumpMs) this.#jump = { at: now, ms }
  }

  /** Postgres says that it is `now`, ms since the epoch. */
  compare(now: number): void {
    this.#difference = this.#clock.now() - now
    this.#wrong = Math.abs(this.#difference) >= (this.#wrong ? rightMs : wrongMs)
  }

  readonly health = (now: number): Health => {
    if (this.#wrong) return { state: 'down', reason: `the clock is ${apart(this.#difference)} that of Postgres` }
    if (!this.#jump || now - this.#jump.at >= toldMs) return { state: 'ok' }
    const { ms } = this.#jump
    return { state: 'down', reason: `the clock has jumped ${ms > 0 ? 'forward' : 'back'} by ${seconds(Math.abs(ms))}` }
  }
}

const apart = (ms: number): string => `${seconds(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'}`
