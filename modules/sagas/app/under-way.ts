import type { Clock } from '@splitstream/kernel'

/** What is done again and again, and is quick each time: so long it never takes, ms. */
const longMs = 5_000

/** Tells when something that is being done does not come to its end: what waits for ever says nothing by itself. */
export class UnderWay {
  readonly #clock: Clock
  readonly #what: string
  #since: number | undefined

  /** @param what is being done, for people */
  constructor(what: string, clock: Clock) {
    this.#what = what
    this.#clock = clock
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#since = this.#clock.monotonic()
    try {
      return await work()
    } finally {
      this.#since = undefined
    }
  }

  /** Why it takes too long, if it does. */
  get late(): string | undefined {
    const ms = this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since
    return ms < longMs ? undefined : `${this.#what} has been under way for ${Math.round(ms / 1_000)} s`
  }
}
