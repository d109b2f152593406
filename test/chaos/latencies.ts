import { median, percentile } from '../bench/stats.ts'
import { Stalls } from '../support/stalls.ts'

interface Phase {
  readonly name: string
  readonly from: number
}

/** Of a phase: ms, events a second, seconds. */
export interface PhaseFigures {
  readonly p50: number
  readonly p99: number
  readonly worst: number
  readonly eventsPerSecond: number
  readonly seconds: number
  readonly slow: number
  readonly inARow: number
}

const windowMs = 1_000

/** How long answers took, by phase of a run, and for how long they took too long. */
export class Latencies {
  readonly #samples: { readonly at: number; readonly ms: number; readonly events: number }[] = []
  readonly #phases: Phase[] = []
  readonly #stalls = new Stalls()

  begin(name: string): void {
    this.#phases.push({ name, from: performance.now() })
  }

  /** @param events that were acknowledged */
  add(ms: number, events: number): void {
    this.#samples.push({ at: performance.now(), ms, events })
  }

  /**
   * p50, p99 and the worst answer of each phase, ms, what came in, events a second, and its length, s. `slow`: seconds whose own p99 was twice that of the
   * first phase or more, and `leastMs` at least; so many in all and so many in a row. A second in which this process itself stood
   * still is none of them: it neither counts nor ends a row.
   */
  summary(leastMs = 0): Record<string, PhaseFigures> {
    const ends = [...this.#phases.slice(1).map(({ from }) => from), performance.now()]
    const within = (from: number, to: number): number[] =>
      this.#samples.flatMap(({ at, ms }) => (at >= from && at < to ? [ms] : []))
    const [first] = this.#phases
    const limit = Math.max(leastMs, 2 * percentile(within(first!.from, ends[0]!), 0.99))
    const round = (ms: number): number => Math.round(ms * 10) / 10
    const each = this.#phases.map(({ name, from }, i): [string, PhaseFigures] => {
      const to = ends[i]!
      const all = within(from, to)
      const events = this.#samples.reduce((sum, one) => (one.at >= from && one.at < to ? sum + one.events : sum), 0)
      let [slow, row, inARow] = [0, 0, 0]
      for (let at = from; at + windowMs <= to; at += windowMs) {
        if (this.#stalls.between(at, at + windowMs) > 0) continue
        // Without any answer it is NaN, and that is as slow as can be.
        const isSlow = !(percentile(within(at, at + windowMs), 0.99) < limit)
        slow += isSlow ? 1 : 0
        row = isSlow ? row + 1 : 0
        inARow = Math.max(inARow, row)
      }
      const figures = { p50: round(median(all)), p99: round(percentile(all, 0.99)), worst: round(Math.max(...all)) }
      return [
        name,
        {
          ...figures,
          eventsPerSecond: Math.round((1000 * events) / (to - from)),
          seconds: round((to - from) / 1000),
          slow,
          inARow,
        },
      ]
    })
    return Object.fromEntries(each)
  }
}
