import type { Labels } from '@splitstream/kernel'
import type { Instrument, Measured } from './measured.ts'
import { Series } from './series.ts'

/** Written by hand, because it is on the ingest path: see series.ts. */
export class Counter implements Instrument {
  readonly #about: Pick<Measured, 'name' | 'help' | 'unit'>
  readonly #series: Series<{ value: number }>

  constructor(name: string, help: string, labels: readonly string[], unit: string) {
    this.#about = { name, help, unit }
    this.#series = new Series(labels, () => ({ value: 0 }))
  }

  add(n: number, labels?: Labels): void {
    if (n >= 0) this.#series.of(labels).value += n
  }

  measure(): Measured {
    const points = this.#series.points().map(({ labels, value: { value } }) => ({ labels, value }))
    return { ...this.#about, kind: 'counter', points }
  }
}
