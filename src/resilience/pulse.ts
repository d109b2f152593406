import type { Clock } from '@splitstream/kernel'

/** A question that takes longer is a sign of sickness, and so is one that fails, ms. */
const sickMs = 800
/** For how long the end of the last question says something, and the time between the beginnings of two, ms. */
const [freshMs, betweenMs] = [2_000, 250]

/**
 * Tells a dependency that is sick from one that works hard: while calls take long, something is asked that costs next to
 * nothing. Where a call may be as heavy as its caller likes, its time alone says nothing about who is called.
 */
export class Pulse {
  readonly #ask: () => Promise<unknown>
  readonly #clock: Clock
  #asked = Number.NEGATIVE_INFINITY
  #running = 0
  #ended = Number.NEGATIVE_INFINITY
  #well = true

  /** @param ask ends by itself within a second or two, and rejects when there is no good answer */
  constructor(ask: () => Promise<unknown>, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  /** Asks, unless somebody did a moment ago. Nobody waits for it. */
  readonly feel = (): void => {
    if (this.#running > 0 || this.#clock.monotonic() - this.#asked < betweenMs) return
    this.take().catch(() => undefined)
  }

  /** Asks, and hands on how it ended. */
  async take(): Promise<void> {
    const from = this.#clock.monotonic()
    this.#asked = from
    this.#running++
    let well = false
    try {
      await this.#ask()
      well = this.#clock.monotonic() - from < sickMs
    } finally {
      this.#running--
      this.#ended = this.#clock.monotonic()
      this.#well = well
    }
  }

  /** No good answer came to the last question, or none yet though there should be one. */
  get sick(): boolean {
    const now = this.#clock.monotonic()
    if (this.#running > 0 && now - this.#asked >= sickMs) return true
    return !this.#well && now - this.#ended <= freshMs
  }
}
