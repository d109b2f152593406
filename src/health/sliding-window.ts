import { classCount, classOf, quantile, slowerThan } from './latencies.ts'

/** What the calls to one place were like, over a while. */
export interface Calls {
  readonly count: number
  readonly errors: number
  /** Those with a time that says something about the place. */
  readonly timed: number
  /** ms; 0 without timed calls. */
  readonly p50: number
  /** ms; 0 without timed calls. */
  readonly p99: number
  /** How many took longer than `ms`. */
  slowerThan(ms: number): number
}

const sliceMs = 1_000

interface Slice {
  /** Which one of all slices since the beginning. */
  number: number
  count: number
  errors: number
  readonly times: Uint32Array
}

/** The calls of the last so many seconds, in slices of one; half a kilobyte for each, however many calls there are. */
export class SlidingWindow {
  readonly #seconds: number
  #slices: readonly Slice[] = []

  constructor(seconds: number) {
    this.#seconds = seconds
    this.clear()
  }

  /**
   * @param ms how long it took; undefined when that says nothing
   * @param now monotonic, ms
   */
  add(failed: boolean, ms: number | undefined, now: number): void {
    const number = Math.floor(now / sliceMs)
    const slice = this.#slices[number % this.#seconds]!
    if (slice.number !== number) {
      slice.number = number
      slice.count = 0
      slice.errors = 0
      slice.times.fill(0)
    }
    slice.count++
    if (failed) slice.errors++
    if (ms !== undefined) slice.times[classOf(ms)]!++
  }

  /** @param seconds of the latest; all when not given */
  read(now: number, seconds: number = this.#seconds): Calls {
    const oldest = Math.floor(now / sliceMs) - seconds
    const times = new Uint32Array(classCount)
    let [count, errors, timed] = [0, 0, 0]
    for (const slice of this.#slices) {
      if (slice.number <= oldest || slice.count === 0) continue
      count += slice.count
      errors += slice.errors
      for (let i = 0; i < classCount; i++) times[i]! += slice.times[i]!
    }
    for (const n of times) timed += n
    return {
      count,
      errors,
      timed,
      p50: quantile(times, timed, 0.5),
      p99: quantile(times, timed, 0.99),
      slowerThan: (ms) => slowerThan(times, ms),
    }
  }

  clear(): void {
    this.#slices = Array.from({ length: this.#seconds }, () => ({
      number: -1,
      count: 0,
      errors: 0,
      times: new Uint32Array(classCount),
    }))
  }
}
