import {
  type Clock,
  type Consumption,
  codeOf,
  type Lane,
  type Logger,
  type LogReader,
  type Metrics,
  messageOf,
  type Postgres,
} from '@splitstream/kernel'
import { consumeEvents } from './consume-events.ts'
import { Interests } from './interests.ts'
import type { Plans } from './plans.ts'
import type { SagaWorker } from './worker.ts'

export interface EventConsumerDeps {
  readonly log: LogReader
  readonly postgres: Postgres
  readonly worker: SagaWorker
  readonly plans: Plans
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The consumer group `sagas` of the event log: events that start sagas, and that their steps wait for. */
export class EventConsumer {
  readonly #deps: EventConsumerDeps
  readonly #stalled = new Map<number, string>()
  /** Partitions that are ours now. */
  readonly #lanes = new Set<number>()
  #consumption: Consumption | undefined
  #stopping = false

  constructor(deps: EventConsumerDeps) {
    this.#deps = deps
  }

  /** Why events of some partition have to wait, if they have. */
  get failing(): string | undefined {
    const [first] = this.#stalled
    return first && `events of partition ${first[0]} wait: ${first[1]}`
  }

  async start(): Promise<void> {
    const { log, postgres, clock, logger, metrics } = this.#deps
    const triggered = metrics.counter('splitstream.sagas.triggers', 'Events that trigger sagas', ['outcome'])
    const awaited = metrics.counter('splitstream.sagas.awaited_events', 'Events that steps may wait for', ['outcome'])
    const damaged = metrics.counter('splitstream.sagas.damaged_records', 'Log records that could not be read')
    const deps = {
      ...this.#deps,
      interests: new Interests(postgres, clock),
      stopping: () => this.#stopping,
      onTrigger: (outcome: string) => triggered.add(1, { outcome }),
      onAwaited: (kept: number, delivered: number) => {
        awaited.add(kept, { outcome: 'kept' })
        awaited.add(delivered, { outcome: 'delivered' })
      },
      onDamaged: ({ partition, baseOffset }: { partition: number; baseOffset: number }) => {
        damaged.add(1)
        logger.error('a damaged log record starts no sagas', { partition, offset: baseOffset })
      },
      onProgress: (partition: number, error?: unknown) => this.#note(partition, error),
    }
    this.#consumption = await log.consume('sagas', async (lane) => {
      this.#hold(lane)
      try {
        await consumeEvents(lane, deps)
      } catch (error) {
        if (lane.signal.aborted) return
        this.#note(lane.partition, error)
        throw error
      }
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#consumption?.stop()
  }

  #hold({ partition, signal }: Lane): void {
    if (this.#lanes.has(partition)) return
    this.#lanes.add(partition)
    const gone = (): void => {
      this.#lanes.delete(partition)
      this.#stalled.delete(partition)
    }
    signal.addEventListener('abort', gone, { once: true })
  }

  #note(partition: number, error: unknown): void {
    const known = this.#stalled.get(partition)
    if (error === undefined) {
      if (known !== undefined) this.#deps.logger.info('sagas go on with events', { partition })
      this.#stalled.delete(partition)
      return
    }
    const reason = messageOf(error)
    this.#stalled.set(partition, reason)
    if (reason === known) return
    this.#deps.logger.warn('events for sagas have to wait', { partition, code: codeOf(error), error: reason })
  }
}
