import type { Outcome } from '../resolver.ts'
import { classCount, classOf, p99, slowerThan } from './latencies.ts'

/** What the calls to one instance were like. */
export interface Calls {
  readonly count: number
  readonly errors: number
  /** Those with a time that says something about the instance. */
  readonly timed: number
  /** ms; 0 without timed calls. */
  readonly p99: number
  /** How many took longer than `ms`. */
  slowerThan(ms: number): number
}

const [slices, sliceMs] = [10, 1_000]

export const isError: ReadonlySet<Outcome> = new Set(['failed', 'unreachable', 'lost', 'late'])

/** No connection, or a broken one, says nothing about how fast calls are. */
const hasTime: ReadonlySet<Outcome> = new Set(['answered', 'failed', 'late'])

interface Slice {
  /** Which one of all slices since the beginning. */
  number: number
  count: number
  errors: number
  readonly times: Uint32Array
}

/** The calls of the last 10 s, in slices of 1 s; in a fixed amount of memory. */
export class CallWindow {
  #slices: readonly Slice[] = []

  constructor() {
    this.clear()
  }

  /** `now` is monotonic, ms. A refused call is neither good nor bad: an instance that stops or is full is not broken. */
  add(outcome: Outcome, ms: number, now: number): void {
    if (outcome === 'refused') return
    const number = Math.floor(now / sliceMs)
    const slice = this.#slices[number % slices]!
    if (slice.number !== number) {
      slice.number = number
      slice.count = 0
      slice.errors = 0
      slice.times.fill(0)
    }
    slice.count++
    if (isError.has(outcome)) slice.errors++
    if (hasTime.has(outcome)) slice.times[classOf(ms)]!++
  }

  read(now: number): Calls {
    const oldest = Math.floor(now / sliceMs) - slices
    const live = this.#slices.filter((slice) => slice.number > oldest)
    const times = new Uint32Array(classCount)
    for (const slice of live) for (let i = 0; i < classCount; i++) times[i]! += slice.times[i]!
    const timed = times.reduce((sum, count) => sum + count, 0)
    return {
      count: live.reduce((sum, slice) => sum + slice.count, 0),
      errors: live.reduce((sum, slice) => sum + slice.errors, 0),
      timed,
      p99: p99(times, timed),
      slowerThan: (ms) => slowerThan(times, ms),
    }
  }

  clear(): void {
    this.#slices = Array.from({ length: slices }, () => ({
      number: -1,
      count: 0,
      errors: 0,
      times: new Uint32Array(classCount),
    }))
  }
}
