export interface RateLimits {
  /** Calls below which nothing is said. */
  readonly minCalls: number
  /** Calls that ended longer ago say nothing, ms. */
  readonly windowMs: number
}

/** How many of the calls of late were bad. */
export interface Rate {
  readonly bad: number
  readonly calls: number
}

const [slices, sliceMs] = [10, 100]

/**
 * How the calls of late ended: those of the last second, or, when they are too few to say anything, the last `minCalls` of the
 * window. Calls count when they end. So a dependency that stalls is found out by the first few calls that are slow, as
 * nothing good ends beside them, however many there were before; and a burst of failures among many good calls is no reason.
 */
export class CallRate {
  readonly #limits: RateLimits
  readonly #now: () => number
  /** The last `minCalls`, as a ring. */
  #last: { readonly at: number; readonly bad: boolean }[] = []
  #next = 0
  #recent: { number: number; bad: number; calls: number }[] = []

  /** @param now monotonic, ms */
  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  add(bad: boolean): void {
    const at = this.#now()
    this.#last[this.#next] = { at, bad }
    this.#next = (this.#next + 1) % this.#limits.minCalls
    const number = Math.floor(at / sliceMs)
    let slice = this.#recent[number % slices]
    if (slice?.number !== number) {
      slice = { number, bad: 0, calls: 0 }
      this.#recent[number % slices] = slice
    }
    slice.calls++
    if (bad) slice.bad++
  }

  /** Undefined when there were too few calls. */
  read(): Rate | undefined {
    const { minCalls, windowMs } = this.#limits
    const now = this.#now()
    const rate = { bad: 0, calls: 0 }
    for (const { number, bad, calls } of this.#recent.filter(Boolean)) {
      if (number <= now / sliceMs - slices) continue
      rate.bad += bad
      rate.calls += calls
    }
    if (rate.calls >= minCalls) return rate
    const last = this.#last.filter(({ at }) => now - at <= windowMs)
    return last.length < minCalls ? undefined : { bad: last.filter(({ bad }) => bad).length, calls: last.length }
  }

  clear(): void {
    this.#last = []
    this.#next = 0
    this.#recent = []
  }
}
