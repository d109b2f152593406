import { type Clock, type Placed, PlacedList } from '@splitstream/kernel'

export interface Watched extends Placed {
  /** Called a few times a second with the monotonic time, ms. */
  check(now: number): void
}

const periodMs = 100

/** One timer for the deadlines of all requests, instead of a timer for each. */
export class Watch {
  readonly #clock: Clock
  readonly #watched = new PlacedList<Watched>()
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
    this.#watched.remove(one)
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      const now = this.#clock.monotonic()
      this.#watched.each((one) => one.check(now))
    }, periodMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
