import {
  type Clock,
  type Consumption,
  type Health,
  type Logger,
  type LogReader,
  type Metrics,
  messageOf,
  type Postgres,
  systemCall,
} from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { readProgress, unacknowledgedLosses } from '../adapters/progress.ts'
import type { Confirmed } from './confirmed.ts'
import { consumeLane, type LaneDeps } from './consume-lane.ts'
import { warmIndex } from './warm-index.ts'

export interface WriterDeps {
  readonly log: LogReader
  readonly table: EventsTable
  readonly postgres: Postgres
  readonly confirmed: Confirmed
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: LaneDeps['limits'] & { readonly seenKeys: number }
}

/** The consumer group `storage`: warms the seen-index, then stores every partition that it is given. */
export class StorageWriter {
  readonly #deps: WriterDeps
  readonly #stop = new AbortController()
  readonly #stalled = new Map<number, string>()
  readonly #checked = new Set<number>()
  #losses = 0
  #consumption: Consumption | undefined
  #warming: Promise<void> | undefined

  constructor(deps: WriterDeps) {
    this.#deps = deps
  }

  /** Returns once the confirmed position is known; storing starts by itself when the index is warm. */
  async start(): Promise<void> {
    for (const { partition, next } of await readProgress(this.#deps.postgres)) {
      this.#deps.confirmed.advance(partition, next)
    }
    this.#warming = this.#consume()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#warming
    await this.#consumption?.stop()
  }

  health(): Health {
    if (this.#losses > 0) {
      return {
        state: 'down',
        reason: `${this.#losses} stored events are gone and are no longer in the log; acknowledge the loss to go on`,
      }
    }
    const [first] = this.#stalled
    const stall = first && `partition ${first[0]} is not being stored: ${first[1]}`
    if (this.#checked.size < this.#deps.log.partitions) {
      return { state: 'down', reason: stall ?? 'the events table is being checked against the log' }
    }
    return stall ? { state: 'degraded', reason: stall } : { state: 'ok' }
  }

  /** After a check, and after an operator acknowledged. */
  async countLosses(): Promise<void> {
    this.#losses = await unacknowledgedLosses(this.#deps.postgres)
  }

  async #consume(): Promise<void> {
    const { table, postgres, confirmed, clock, logger, metrics, limits, log } = this.#deps
    const stored = metrics.counter('splitstream_storage_events_total', 'Events by what became of them', ['outcome'])
    const index = await this.#warm()
    if (!index) return
    metrics.gauge('splitstream_storage_seen_keys', 'Event keys in the seen-index', () => index.size)
    const lane: LaneDeps = {
      table,
      postgres,
      index,
      confirmed,
      clock,
      logger,
      limits,
      onDeadLetter: (letter) => {
        stored.add(1, { outcome: 'dead_letter' })
        logger.warn('an event cannot be stored', { tenant: letter.tenant, offset: letter.offset, code: letter.code })
      },
      onChecked: (partition) => {
        this.#checked.add(partition)
        this.countLosses().catch((error: unknown) => logger.warn('losses cannot be read', { error: messageOf(error) }))
      },
      onProgress: (partition, block) => {
        if ('error' in block) {
          this.#stalled.set(partition, messageOf(block.error))
          return
        }
        this.#stalled.delete(partition)
        stored.add(block.stored, { outcome: 'stored' })
        stored.add(block.dropped, { outcome: 'duplicate' })
      },
    }
    this.#consumption = await log.consume('storage', (assigned) => consumeLane(assigned, lane))
  }

  /** Until the engine answers; undefined when stopped before that. */
  async #warm() {
    const { table, clock, logger, limits } = this.#deps
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        const call = systemCall(clock, 120_000, this.#stop.signal)
        const index = await warmIndex(table, limits.seenKeys, clock, call)
        this.#stalled.delete(-1)
        return index
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined
        this.#stalled.set(-1, messageOf(error))
        logger.warn('the seen-index cannot be filled yet', { error: messageOf(error) })
        await clock.sleep(pause, this.#stop.signal).catch(() => undefined)
      }
    }
  }
}
