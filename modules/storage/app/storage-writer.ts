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
  type Tracer,
} from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { type OpenLosses, openLosses } from '../adapters/losses.ts'
import { readProgress } from '../adapters/progress.ts'
import type { SeenIndex } from '../domain/seen-index.ts'
import { BlockWatch } from './block-watch.ts'
import type { Confirmed } from './confirmed.ts'
import { consumeLane, type LaneDeps } from './consume-lane.ts'
import { Coverage } from './coverage.ts'
import { FirstVerdicts } from './first-verdicts.ts'
import { Refusals } from './refusals.ts'
import { warmIndex } from './warm-index.ts'

/** How often progress made by other processes is read, ms. */
const refreshMs = 200

/** How often the keys of what they stored are, ms, and how long that may take. */
const learnMs = 1_000
const learnBudgetMs = 30_000

export interface WriterDeps {
  readonly log: LogReader
  readonly table: EventsTable
  readonly postgres: Postgres
  readonly confirmed: Confirmed
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly limits: LaneDeps['limits'] & { readonly seenKeys: number }
}

/** The consumer group `storage`: warms the seen-index, then stores every partition that it is given. */
export class StorageWriter {
  readonly #deps: WriterDeps
  readonly #watch: BlockWatch
  readonly #stop = new AbortController()
  readonly #stalled = new Map<number, string>()
  /** Lanes that are ours now, and whether their rows were checked. */
  readonly #lanes = new Map<number, 'checking' | 'checked'>()
  /** All that it was given at first has been checked. */
  #begun = false
  #losses: OpenLosses = { events: 0, ranges: 0 }
  #consumption: Consumption | undefined
  #warming: Promise<void> | undefined

  constructor(deps: WriterDeps) {
    this.#deps = deps
    this.#watch = new BlockWatch(deps)
  }

  /** Returns once the confirmed position is known; storing starts by itself when the index is warm. */
  async start(): Promise<void> {
    await this.#refresh()
    void this.#repeat(refreshMs, () => this.#refreshOthers())
    this.#warming = this.#consume()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#warming
    await this.#consumption?.stop()
  }

  health(): Health {
    const lost = reasonOf(this.#losses)
    if (lost !== undefined) return { state: 'down', reason: `${lost}; acknowledge the loss to go on` }
    const [first] = this.#stalled
    const stall = first && `partition ${first[0]} is not being stored: ${first[1]}`
    if (!this.#consumption || [...this.#lanes.values()].includes('checking')) {
      // A lane that comes later, from another process, keeps nobody from serving what is stored.
      const state = this.#begun ? 'degraded' : 'down'
      return { state, reason: stall ?? 'the events table is being checked against the log' }
    }
    return stall ? { state: 'degraded', reason: stall } : { state: 'ok' }
  }

  /** After a check, and after an operator acknowledged. */
  async countLosses(): Promise<void> {
    this.#losses = await openLosses(this.#deps.postgres)
  }

  /** Partitions that other processes store move on too, and waiters here want to know. */
  async #refreshOthers(): Promise<void> {
    if (this.#lanes.size >= this.#deps.log.partitions) return
    await this.#refresh().catch((error: unknown) => {
      this.#deps.logger.debug('the progress of others cannot be read', { error: messageOf(error) })
    })
  }

  /** An event that one of them stored may be sent again with another subject, and come here. */
  async #learn(index: SeenIndex, coverage: Coverage): Promise<void> {
    const { table, confirmed, clock, log, logger } = this.#deps
    if (this.#lanes.size >= log.partitions) return
    const others = new Map([...confirmed.position()].filter(([partition]) => !this.#lanes.has(partition)))
    const call = systemCall(clock, learnBudgetMs, this.#stop.signal)
    await coverage.extend(index, table, others, call).catch((error: unknown) => {
      logger.debug('the keys that others stored cannot be read', { error: messageOf(error) })
    })
  }

  /** Until it is stopped, one after the other. `work` does not throw. */
  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#deps.clock.sleep(everyMs, signal).catch(() => undefined)
      if (!signal.aborted) await work()
    }
  }

  async #refresh(): Promise<Map<number, number>> {
    const progress = await readProgress(this.#deps.postgres)
    for (const { partition, next } of progress) this.#deps.confirmed.advance(partition, next)
    return new Map(progress.map(({ partition, next }) => [partition, next]))
  }

  async #consume(): Promise<void> {
    const { table, postgres, confirmed, clock, logger, metrics, limits, log } = this.#deps
    const warm = await this.#warm()
    if (!warm) return
    const { index, coverage } = warm
    metrics.gauge('splitstream.storage.seen_keys', 'Event keys in the seen-index', () => index.size)
    const lane: LaneDeps = {
      table,
      postgres,
      index,
      verdicts: new FirstVerdicts(),
      refusals: new Refusals(clock),
      coverage,
      confirmed,
      clock,
      logger,
      watch: this.#watch,
      limits,
      onDeadLetter: (letter) => {
        this.#watch.deadLetter()
        logger.warn('an event cannot be stored', { tenant: letter.tenant, offset: letter.offset, code: letter.code })
      },
      onChecked: (partition) => {
        this.#lanes.set(partition, 'checked')
        this.#begun ||= [...this.#lanes.values()].every((lane) => lane === 'checked')
        this.countLosses().catch((error: unknown) => logger.warn('losses cannot be read', { error: messageOf(error) }))
      },
      onProgress: (partition, error) => {
        if (error === undefined) this.#stalled.delete(partition)
        else this.#stalled.set(partition, messageOf(error))
      },
    }
    void this.#repeat(learnMs, () => this.#learn(index, coverage))
    this.#consumption = await log.consume('storage', async (assigned) => {
      const { partition, signal } = assigned
      if (!this.#lanes.has(partition)) {
        this.#lanes.set(partition, 'checking')
        signal.addEventListener('abort', () => this.#forget(partition), { once: true })
      }
      await consumeLane(assigned, lane)
    })
  }

  /** The partition is another process's now. */
  #forget(partition: number): void {
    this.#lanes.delete(partition)
    this.#stalled.delete(partition)
    this.#watch.forget(partition)
  }

  /** Until the engine answers; undefined when stopped before that. */
  async #warm() {
    const { table, clock, logger, limits } = this.#deps
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        const call = systemCall(clock, 120_000, this.#stop.signal)
        // Read first: what is stored after this counts as unknown.
        const coverage = new Coverage(await this.#refresh())
        const index = await warmIndex(table, limits.seenKeys, call)
        this.#stalled.delete(-1)
        return { index, coverage }
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined
        this.#stalled.set(-1, messageOf(error))
        logger.warn('the seen-index cannot be filled yet', { error: messageOf(error) })
        await clock.sleep(pause, this.#stop.signal).catch(() => undefined)
      }
    }
  }
}

function reasonOf({ events, ranges }: OpenLosses): string | undefined {
  const reasons = [
    ...(events > 0 ? [`${events} stored events are gone and are no longer in the log`] : []),
    ...(ranges > 0 ? [`${ranges} ranges of accepted events were deleted from the log before they were stored`] : []),
  ]
  return reasons.length > 0 ? reasons.join('; ') : undefined
}
