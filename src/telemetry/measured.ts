import type { Point } from './series.ts'

export interface Buckets {
  /** Observations up to each bound, and above the last; not cumulated. */
  readonly counts: Float64Array
  sum: number
}

interface Described {
  /** As OpenTelemetry writes it, with dots. */
  readonly name: string
  readonly help: string
  readonly unit: string
}

/** A metric with its values of this moment: what the text form and OTLP are made from. Counts grow from the start on. */
export type Measured =
  | (Described & { readonly kind: 'counter' | 'gauge'; readonly points: readonly Point<number>[] })
  | (Described & {
      readonly kind: 'histogram'
      readonly bounds: readonly number[]
      readonly points: readonly Point<Buckets>[]
    })

export interface Instrument {
  /** Undefined when there is no value at the moment. */
  measure(): Measured | undefined | Promise<Measured | undefined>
}
