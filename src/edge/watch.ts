import type { Clock } from '@splitstream/kernel'

export interface Watched {
  /** Its place in the watch; kept by the watch. */
  place: number
  /** Called a few times a second with the monotonic time, ms. */
  check(now: number): void
}

const periodMs = 100

/**
 * One timer for the deadlines of all requests, instead of a timer for each. A list, not a Set: a Set that is added to and
 * deleted from replaces its table every few dozen requests, and in V8 the old table, once promoted, keeps the requests of
 * its time and the next table alive until the next full collection. That made young collections take 20 ms.
 */
export class Watch {
  readonly #clock: Clock
  readonly #watched: Watched[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#watched.length
  }

  add(one: Watched): void {
    one.place = this.#watched.push(one) - 1
  }

  remove(one: Watched): void {
    if (this.#watched[one.place] !== one) return
    const last = this.#watched.pop()!
    if (last === one) return
    last.place = one.place
    this.#watched[last.place] = last
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      const now = this.#clock.monotonic()
      // Backwards: a check may end its request, and the last one then takes its place.
      for (let i = this.#watched.length - 1; i >= 0; i--) this.#watched[i]?.check(now)
    }, periodMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
