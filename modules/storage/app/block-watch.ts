import {
  type Clock,
  durationBuckets,
  errorType,
  inSpan,
  type LogRecord,
  type Metrics,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@splitstream/kernel'

export interface WatchDeps {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly tracer: Tracer
}

/** What came of a block, in events. */
export interface Outcome {
  readonly stored: number
  readonly dropped: number
}

const sizes = [1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000]
const place = {
  'messaging.destination.name': 'events',
  'messaging.operation.name': 'process',
  'messaging.consumer.group.name': 'storage',
}
const outcomes = {
  stored: { outcome: 'stored' },
  duplicate: { outcome: 'duplicate' },
  dead: { outcome: 'dead_letter' },
}

/**
 * What is told of storing: how many events came to what, how large blocks are and how long each takes, and how old the oldest
 * event is that was read and is not stored. A block has one span: within the trace of the first request in it that is traced, with
 * links to those of others.
 */
export class BlockWatch {
  readonly #deps: WatchDeps
  readonly #events: ReturnType<Metrics['counter']>
  readonly #size: ReturnType<Metrics['histogram']>
  readonly #seconds: ReturnType<Metrics['histogram']>
  /** When the first event of the block was appended that is being stored, or could not be: by partition. */
  readonly #oldest = new Map<number, number>()

  constructor(deps: WatchDeps) {
    this.#deps = deps
    const { metrics, clock } = deps
    this.#events = metrics.counter('splitstream.storage.events', 'Events by what became of them', ['outcome'])
    this.#size = metrics.histogram('splitstream.storage.block', 'Events of a block', sizes, [], '{event}')
    const names = [...Object.keys(place), 'error.type']
    this.#seconds = metrics.histogram('messaging.process.duration', 'Until a block is stored', durationBuckets, names)
    const age = (): number => Math.max(0, clock.now() - Math.min(clock.now(), ...this.#oldest.values())) / 1_000
    metrics.gauge('splitstream.storage.freshness', 'Age of the oldest event that is not stored', age, 's')
  }

  /**
   * Runs `work`, which stores the block of these records.
   * @param again it was begun before
   */
  async block(
    partition: number,
    records: readonly LogRecord[],
    again: boolean,
    work: (span: Span | undefined) => Promise<Outcome>,
  ): Promise<void> {
    const { clock } = this.#deps
    const [first] = records
    if (first) this.#oldest.set(partition, first.appendedAt)
    const span = this.#span(partition, records, again)
    const from = clock.monotonic()
    try {
      const { stored, dropped } = await inSpan(span, () => work(span))
      this.#oldest.delete(partition)
      this.#events.add(stored, outcomes.stored)
      this.#events.add(dropped, outcomes.duplicate)
      this.#size.observe(stored + dropped)
      this.#seconds.observe((clock.monotonic() - from) / 1_000, { ...place, 'error.type': '' })
    } catch (error) {
      this.#seconds.observe((clock.monotonic() - from) / 1_000, { ...place, 'error.type': errorType(error) })
      throw error
    }
  }

  deadLetter(): void {
    this.#events.add(1, outcomes.dead)
  }

  /** The partition is another process's now. */
  forget(partition: number): void {
    this.#oldest.delete(partition)
  }

  #span(partition: number, records: readonly LogRecord[], again: boolean): Span | undefined {
    // On Kafka each event of a request may be a record of its own.
    const [parent, ...links] = new Set(records.flatMap(({ traceparent }) => traceparent ?? []))
    if (parent === undefined) return undefined
    const attributes = {
      ...place,
      'messaging.destination.partition.id': String(partition),
      'messaging.batch.message_count': records.reduce((sum, { count }) => sum + count, 0),
      ...(again && { 'splitstream.storage.again': true }),
    }
    const options: SpanOptions = { kind: 'consumer', attributes, links }
    return this.#deps.tracer.span('process events', parent, options)
  }
}
