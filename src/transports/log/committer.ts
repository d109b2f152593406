import type { Worker } from 'node:worker_threads'
import { AppError, type Clock, type LogAppend, type Logger, type LogRange } from '@splitstream/kernel'
import { leaveThread } from '../../end-thread.ts'
import type { Bounds, FromWorker, GroupOffset, Skip, ToWorker } from './messages.ts'
import { buffersOf, type PackedRow, packRow, type RecordTrace } from './row.ts'
import { nextPlace } from './skips.ts'

interface Waiting {
  readonly entries: readonly LogAppend[]
  readonly bytes: number
  resolve(ranges: LogRange[]): void
  reject(error: Error): void
}

/** Bytes of one group commit; what arrives beyond waits for the next. */
const maxCommitBytes = 8 << 20
/** After so long a disk that does not take what is to be closed hangs, ms. */
const hangsMs = 10_000

/**
 * Group commit: every append that arrives while a commit runs goes into the next one, so that one fsync serves them all.
 * One commit runs at a time, hence offsets are dense and a failed commit leaves no gap. States:
 *
 *   ready → (first append: end of the turn) → committing → settled, worker not ready yet → ready, or the next commit
 *
 * A commit that fails, but for a full disk, makes the worker open the file again: failed → ready, or → lost, for good.
 */
export class Committer {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #clock: Clock
  readonly #maxPendingBytes: number
  readonly #ends: number[]
  readonly #sizes: number[]
  readonly #skips: readonly Skip[]
  #dirty = new Map<string, GroupOffset>()
  /** Those of the commit that runs. */
  #sent: readonly GroupOffset[] = []
  readonly #committed: (partitions: Iterable<number>) => void
  #queue: Waiting[] = []
  #running: Waiting[] | undefined
  #rows: readonly PackedRow[] = []
  /** The worker takes a commit. */
  #ready = true
  #pendingBytes = 0
  #scheduled = false
  /** The offsets are to become durable without waiting for an append. */
  #flushing = false
  #failure: string | undefined
  readonly #lost = Promise.withResolvers<string>()
  readonly #logger: Logger
  #closing = false
  #bounds: readonly Bounds[]
  #bytesPerMs = 20_000
  #startedAt = 0
  #trimming: (() => void) | undefined
  #idle: (() => void) | undefined

  constructor(
    worker: Worker,
    bounds: readonly Bounds[],
    o: {
      clock: Clock
      logger: Logger
      maxPendingBytes: number
      skips: readonly Skip[]
      onCommit(partitions: Iterable<number>): void
    },
  ) {
    this.#worker = worker
    this.#clock = o.clock
    this.#logger = o.logger
    this.#maxPendingBytes = o.maxPendingBytes
    this.#bounds = bounds
    this.#ends = bounds.map((b) => b.end)
    this.#sizes = bounds.map((b) => b.bytes)
    this.#skips = o.skips
    this.#committed = o.onCommit
    worker.on('message', (message: FromWorker) => this.#onMessage(message))
    worker.on('error', (error) => this.#lose(error.message))
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Why nothing is taken at the moment. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Resolves with the reason when nothing will be taken any more. */
  get lost(): Promise<string> {
    return this.#lost.promise
  }

  bounds(partition: number): Bounds {
    return { ...this.#bounds[partition]!, end: this.#ends[partition]!, bytes: this.#sizes[partition]! }
  }

  /** @param bytes of all entries */
  append(entries: readonly LogAppend[], bytes: number): Promise<LogRange[]> {
    if (this.#closing) throw new AppError('STOPPING', 'The event log is stopping')
    if (this.#failure !== undefined) throw failed()
    if (this.#pendingBytes + bytes > this.#maxPendingBytes) {
      throw new AppError('OVERLOADED', 'Too many bytes wait for the disk', {
        retryAfterMs: Math.ceil(this.#pendingBytes / this.#bytesPerMs),
      })
    }
    this.#pendingBytes += bytes
    const { promise, resolve, reject } = Promise.withResolvers<LogRange[]>()
    this.#queue.push({ entries, bytes, resolve, reject })
    this.#schedule()
    return promise
  }

  /** Remembers a group's offset; durable with the next group commit, or at the next `flush`. */
  setOffset(offset: GroupOffset): void {
    this.#dirty.set(`${offset.group}/${offset.partition}`, offset)
  }

  flush(): void {
    if (this.#dirty.size === 0) return
    this.#flushing = true
    this.#schedule()
  }

  async trim(floors: readonly number[], keepBytes: number, olderThan: number): Promise<void> {
    if (this.#failure !== undefined || this.#closing || this.#trimming) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#trimming = resolve
    this.#worker.postMessage({ kind: 'trim', floors, keepBytes, olderThan } satisfies ToWorker)
    await promise
  }

  /** Lets what was appended before become durable, then closes the file. */
  async close(): Promise<void> {
    this.#closing = true
    const hangs = setTimeout(() => leaveThread(this.#exited), hangsMs)
    this.flush()
    if ((!this.#ready || this.#scheduled) && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    this.#worker.postMessage({ kind: 'close' } satisfies ToWorker)
    await this.#exited
    clearTimeout(hangs)
  }

  /** At the end of the turn, so that all appends of one turn share a commit. */
  #schedule(): void {
    if (!this.#ready || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#ready) this.#commit()
    })
  }

  #commit(): void {
    let taken = 0
    let bytes = 0
    while (taken < this.#queue.length && (taken === 0 || bytes + this.#queue[taken]!.bytes <= maxCommitBytes)) {
      bytes += this.#queue[taken++]!.bytes
    }
    this.#running = this.#queue.slice(0, taken)
    this.#queue = this.#queue.slice(taken)
    const byPartition = new Map<number, LogAppend[]>()
    for (const { entries } of this.#running) {
      for (const entry of entries) {
        const list = byPartition.get(entry.partition)
        if (list) list.push(entry)
        else byPartition.set(entry.partition, [entry])
      }
    }
    const rows = Array.from(byPartition, ([partition, entries]) => packRow(partition, this.#next(partition), entries))
    const traces = Array.from(byPartition, ([partition, entries]) => tracesOf(this.#next(partition), entries)).flat()
    this.#rows = rows
    const offsets = [...this.#dirty.values()]
    this.#sent = offsets
    this.#dirty = new Map()
    this.#flushing = false
    this.#ready = false
    this.#startedAt = this.#clock.monotonic()
    this.#worker.postMessage(
      { kind: 'commit', rows, traces, appendedAt: this.#clock.now(), offsets } satisfies ToWorker,
      buffersOf(rows),
    )
  }

  #onMessage(message: FromWorker): void {
    if (message.kind === 'committed') this.#onCommitted()
    if (message.kind === 'ready') this.#onReady()
    if (message.kind === 'failed') this.#onFailed(message)
    if (message.kind === 'reopened') this.#onReopened(message.bounds)
    if (message.kind === 'trimmed') {
      this.#bounds = message.bounds
      // What was committed since then comes on top: the worker tells in its order.
      for (const [p, { bytes }] of message.bounds.entries()) this.#sizes[p] = bytes
      this.#trimming?.()
      this.#trimming = undefined
    }
  }

  #onReady(): void {
    this.#ready = true
    if (this.#queue.length > 0 || this.#flushing) return this.#commit()
    this.#idle?.()
    this.#idle = undefined
  }

  #onCommitted(): void {
    const bytes = this.#running!.reduce((sum, waiting) => sum + waiting.bytes, 0)
    const ms = Math.max(0.1, this.#clock.monotonic() - this.#startedAt)
    if (bytes > 100_000) this.#bytesPerMs = this.#bytesPerMs * 0.9 + (bytes / ms) * 0.1
    for (const { partition, size } of this.#rows) this.#sizes[partition]! += size
    this.#settle((waiting) => {
      const ranges = waiting.entries.map(({ partition, count }) => {
        const first = this.#next(partition)
        this.#ends[partition] = first + count
        return { partition, first, last: first + count - 1 }
      })
      waiting.resolve(ranges)
    })
    if (this.#rows.length > 0) this.#committed(this.#rows.map(({ partition }) => partition))
    this.#rows = []
  }

  #onFailed({ full, message }: Extract<FromWorker, { kind: 'failed' }>): void {
    if (!full) this.#failure = message
    for (const offset of this.#sent) {
      const key = `${offset.group}/${offset.partition}`
      if (!this.#dirty.has(key)) this.#dirty.set(key, offset)
    }
    const error = full
      ? new AppError('DISK_FULL', 'The disk of the event log is full', { retryAfterMs: 10_000 })
      : unknownOutcome()
    this.#settle((waiting) => waiting.reject(error))
    if (!full) this.#logger.error('the event log failed; it is opened again', { error: message })
  }

  /** What the failed commit was about is in the log, or is not: the file tells. */
  #onReopened(bounds: readonly Bounds[]): void {
    const grown = [...bounds.keys()].filter((p) => bounds[p]!.end > this.#ends[p]!)
    this.#bounds = bounds
    for (const [p, { end, bytes }] of bounds.entries()) {
      this.#ends[p] = end
      this.#sizes[p] = bytes
    }
    this.#failure = undefined
    this.#logger.warn('the event log was opened again, and goes on')
    if (grown.length > 0) this.#committed(grown)
  }

  /** Where the next append begins: after a restore that is not where the records end. */
  #next(partition: number): number {
    return nextPlace(this.#skips, partition, this.#ends[partition]!)
  }

  #settle(each: (waiting: Waiting) => void): void {
    const running = this.#running ?? []
    this.#running = undefined
    for (const waiting of running) {
      this.#pendingBytes -= waiting.bytes
      each(waiting)
    }
    if (this.#failure === undefined) return
    for (const waiting of this.#queue.splice(0)) {
      this.#pendingBytes -= waiting.bytes
      waiting.reject(failed())
    }
  }

  #lose(reason: string): void {
    this.#failure = reason
    this.#settle((waiting) => waiting.reject(unknownOutcome()))
    this.#trimming?.()
    this.#idle?.()
    this.#lost.resolve(`the event log cannot be written: ${reason}`)
  }
}

function tracesOf(base: number, entries: readonly LogAppend[]): RecordTrace[] {
  const traces: RecordTrace[] = []
  let baseOffset = base
  for (const { partition, count, traceparent } of entries) {
    if (traceparent !== undefined) traces.push({ partition, baseOffset, traceparent })
    baseOffset += count
  }
  return traces
}

const failed = (): AppError =>
  new AppError('UNAVAILABLE', 'The event log failed and is being opened again', { retryAfterMs: 5_000 })

/** The commit may have reached the disk before it failed: only sending the events again tells, and is safe. */
function unknownOutcome(): AppError {
  return new AppError('UNKNOWN_OUTCOME', 'The event log failed while it was written; send the same events again', {
    retryAfterMs: 5_000,
  })
}
