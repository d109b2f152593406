import type { Clock } from '@splitstream/kernel'
import type { Discovery } from './discovery.ts'
import type { KnownInstances } from './known-instances.ts'

/** How long a start waits for the first round, ms. */
const firstAnswerMs = 2_000

/** Does the same again and again, one round at a time, until it is stopped. States: new → running → stopped. */
export class Rounds {
  readonly #clock: Clock
  readonly #round: (signal: AbortSignal) => Promise<number>
  readonly #stop = new AbortController()

  /**
   * `round` gives the time until the next one, ms. It never throws, and does nothing more once the signal is aborted.
   */
  constructor(clock: Clock, round: (signal: AbortSignal) => Promise<number>) {
    this.#clock = clock
    this.#round = round
  }

  /** Resolves after the first round, or after 2 s. */
  async start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waited = new AbortController()
    void this.#run(resolve)
    await Promise.race([promise, this.#sleep(firstAnswerMs, AbortSignal.any([this.#stop.signal, waited.signal]))])
    waited.abort()
  }

  /** Does not wait for a round that is under way. */
  stop(): void {
    this.#stop.abort()
  }

  async #run(first: () => void): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const waitMs = await this.#round(signal)
      first()
      await this.#sleep(waitMs, signal)
    }
  }

  /** Ends early, without an error, when aborted. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal).catch(() => {})
  }
}

/** What a source said last, asked for in rounds. */
export function discoveryOf(known: KnownInstances, rounds: Rounds): Discovery {
  return {
    current: () => known.current(),
    report() {},
    start: () => rounds.start(),
    stop: async () => rounds.stop(),
    health: () => known.health(),
  }
}
