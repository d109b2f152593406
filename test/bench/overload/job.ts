/* What the bench of overload and its load generators (processes of their own) say to each other. */

/** A stream of requests that arrive as they do, whatever becomes of them (open loop); or, without a rate, one after another. */
export interface Load {
  readonly url: string
  readonly key: string
  /** Makes the ids of loads differ. */
  readonly tag: string
  /** In each request. */
  readonly events: number
  /** Requests that arrive per second; absent: each connection sends its next request when it has its answer. */
  readonly rate?: number
  readonly connections: number
  readonly seconds: number
}

/** What became of the requests that arrived in one slice of the time. */
export interface Slice {
  arrived: number
  /** Not sent: all connections were busy. */
  blocked: number
  /** Acknowledged within `patienceMs` of their arrival. */
  good: number
  /** Acknowledged later. */
  late: number
  /** By status, those that were not acknowledged. */
  readonly refused: Record<string, number>
  /** From arrival to acknowledgement, ms. */
  readonly latencies: number[]
  /** From arrival to refusal, ms. */
  readonly refusals: number[]
}

export interface LoadResult {
  readonly slices: readonly Slice[]
  /** CPU time of the generator, s. */
  readonly cpuSeconds: number
}

export const sliceMs = 500
/** Who has no answer by then has given up, ms. */
export const patienceMs = 1_000

export type ToGenerator = { kind: 'load'; load: Load } | { kind: 'go' }
export type FromGenerator =
  | { kind: 'prepared' }
  | { kind: 'result'; result: LoadResult }
  | { kind: 'failed'; message: string }
