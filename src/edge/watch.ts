import type { Clock } from '@splitstream/kernel'

export interface Watched {
  /** Called a few times a second with the monotonic time, ms. */
  check(now: number): void
}

const periodMs = 100

/** One timer for the deadlines of all requests: a set is cheaper than a timer for each. */
export class Watch {
  readonly #clock: Clock
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#watched.size
  }

  add(one: Watched): void {
    this.#watched.add(one)
  }

  remove(one: Watched): void {
    this.#watched.delete(one)
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      const now = this.#clock.monotonic()
      for (const one of this.#watched) one.check(now)
    }, periodMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
