import type { Labels } from '@splitstream/kernel'
import type { Buckets, Instrument, Measured } from './measured.ts'
import { Series } from './series.ts'

/** Written by hand, because it is on the ingest path: see series.ts. */
export class Histogram implements Instrument {
  readonly #about: Pick<Measured, 'name' | 'help' | 'unit'>
  readonly #bounds: readonly number[]
  readonly #series: Series<Buckets>

  constructor(name: string, help: string, bounds: readonly number[], labels: readonly string[], unit: string) {
    this.#about = { name, help, unit }
    this.#bounds = bounds.toSorted((a, b) => a - b)
    this.#series = new Series(labels, () => ({ counts: new Float64Array(bounds.length + 1), sum: 0 }))
  }

  observe(value: number, labels?: Labels): void {
    const buckets = this.#series.of(labels)
    let i = 0
    while (i < this.#bounds.length && value > this.#bounds[i]!) i++
    buckets.counts[i]!++
    buckets.sum += value
  }

  measure(): Measured {
    return { ...this.#about, kind: 'histogram', bounds: this.#bounds, points: this.#series.points() }
  }
}
