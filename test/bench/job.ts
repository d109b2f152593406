import type { Series } from './payload.ts'

/* What the bench and its load generator (a process of its own) say to each other. */
interface Target {
  readonly url: string
  /** Where queries go, when another process serves them. */
  readonly queryUrl?: string
  readonly key: string
  readonly series: Series
}

/** NDJSON batches. Without a rate: as fast as `inFlight` requests at once go. */
export interface BatchJob extends Target {
  readonly kind: 'batches'
  readonly warmUpEvents: number
  readonly events: number
  readonly inFlight: number
  /** Open loop: events per second. */
  readonly rate?: number
}

export interface BatchResult {
  readonly events: number
  /** Mean size of an event in the body, bytes. */
  readonly eventBytes: number
  /** From the first request to the last 202, ms. */
  readonly acknowledgedMs: number
  /** From the first request until a query saw everything, ms. */
  readonly storedMs: number
  /** Requests that were refused for now (503) and sent again. */
  readonly refused: number
}

/** One event a request. Without a rate: closed loop. */
export interface SingleJob extends Target {
  readonly kind: 'singles'
  readonly connections: number
  readonly seconds: number
  /** The server's main process, whose CPU time is read over the window. */
  readonly serverPid: number
  /** Open loop: requests per second. */
  readonly rate?: number
}

export interface SingleResult {
  readonly requests: number
  readonly seconds: number
  /** CPU time of the server's main process in the window, s. */
  readonly cpuSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Batches straight into the event log on Kafka. */
export interface AppendJob {
  readonly kind: 'appends'
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly compression: 'none' | 'zstd'
  /** Each batch over all partitions, as ingest does, in place of one batch into one. */
  readonly spread: boolean
  readonly series: Series
  readonly events: number
  readonly inFlight: number
}

export interface AppendResult {
  readonly events: number
  /** From the first append until the last is durable, ms. */
  readonly durableMs: number
  /** CPU time of the process meanwhile, s. */
  readonly cpuSeconds: number
}

export type Job = BatchJob | SingleJob | AppendJob
export type ResultOf<J extends Job> = J extends BatchJob
  ? BatchResult
  : J extends SingleJob
    ? SingleResult
    : AppendResult
export type ToGenerator = { kind: 'job'; job: Job } | { kind: 'go' }
export type FromGenerator =
  | { kind: 'prepared' }
  | { kind: 'result'; result: BatchResult | SingleResult | AppendResult }
  | { kind: 'failed'; message: string }
