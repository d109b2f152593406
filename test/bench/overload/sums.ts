import { percentile } from '../stats.ts'
import type { Slice } from './job.ts'
import { sliceMs } from './job.ts'

/** A load, or a part of it, in figures. Rates are per second. */
export interface Sums {
  readonly arrived: number
  readonly blocked: number
  readonly good: number
  readonly late: number
  /** By status. */
  readonly refused: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  readonly refusalP99Ms: number
}

export function sumsOf(slices: readonly Slice[]): Sums {
  const seconds = (slices.length * sliceMs) / 1_000
  const perSecond = (of: (slice: Slice) => number): number =>
    slices.reduce((sum, slice) => sum + of(slice), 0) / seconds
  const statuses = new Set(slices.flatMap(({ refused }) => Object.keys(refused)))
  const latencies = slices.flatMap((slice) => slice.latencies)
  return {
    arrived: perSecond(({ arrived }) => arrived),
    blocked: perSecond(({ blocked }) => blocked),
    good: perSecond(({ good }) => good),
    late: perSecond(({ late }) => late),
    refused: Object.fromEntries(
      [...statuses].map((status) => [status, perSecond(({ refused }) => refused[status] ?? 0)]),
    ),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    refusalP99Ms: percentile(
      slices.flatMap(({ refusals }) => refusals),
      0.99,
    ),
  }
}
