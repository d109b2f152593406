import type { IngestAppend } from '@splitstream/ingest/contract'
import {
  AppError,
  type Clock,
  codeOf,
  type Logger,
  type Metrics,
  messageOf,
  type Postgres,
  type PostgresTx,
} from '@splitstream/kernel'
import {
  hasOutbox,
  keepRefused,
  lockOutbox,
  type OutboxRow,
  type RefusedRow,
  readOutbox,
  removeFromOutbox,
} from '../adapters/outbox.ts'
import { appendOutbox } from './append-outbox.ts'
import { UnderWay } from './under-way.ts'

/** Events sent at once. */
const [maxEvents, maxBytes] = [500, 4 << 20]
/** How often the relay looks for what it was not told of, and how soon again when another process is at it, ms. */
const [lookMs, busyMs] = [1_000, 50]
const [leastPauseMs, maxPauseMs] = [100, 5_000]

export interface RelayDeps {
  readonly postgres: Postgres
  readonly ingest: IngestAppend
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * Brings emitted events from the outbox, where they are committed with the step that emits them, to ingest: each at least once,
 * and stored once, as its id is that of the step (transactional outbox; Richardson, Microservices Patterns, 2018).
 */
export class OutboxRelay {
  readonly #deps: RelayDeps
  readonly #stop = new AbortController()
  readonly #events: ReturnType<Metrics['counter']>
  #running: Promise<void> | undefined
  #woken = false
  #wake = (): void => undefined
  #failing: string | undefined
  readonly #shipping: UnderWay

  constructor(deps: RelayDeps) {
    this.#deps = deps
    this.#shipping = new UnderWay('bringing emitted events to the log', deps.clock)
    this.#events = deps.metrics.counter('splitstream.sagas.emitted_events', 'Events that sagas emitted', ['outcome'])
  }

  /** Why emitted events have to wait, if they have. */
  get failing(): string | undefined {
    return this.#failing ?? this.#shipping.late
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Something was committed to the outbox here. */
  wake(): void {
    this.#woken = true
    this.#wake()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    for (let pause = leastPauseMs; !this.#stop.signal.aborted; ) {
      try {
        this.#woken = false
        const found = await this.#shipping.run(() => this.#ship())
        this.#failing = undefined
        pause = leastPauseMs
        if (found !== 'sent') await this.#rest(found === 'busy' ? busyMs : lookMs)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#note(error)
        const retryAfterMs = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0
        await this.#deps.clock
          .sleep(Math.max(pause, Math.min(retryAfterMs, maxPauseMs)), this.#stop.signal)
          .catch(() => {})
        pause = Math.min(pause * 2, maxPauseMs)
      }
    }
  }

  /** Sends one batch, or what of it can be begun soon. @throws AppError when some of it has to wait */
  async #ship(): Promise<'sent' | 'nothing' | 'busy'> {
    const { postgres, ingest, clock } = this.#deps
    if (!(await hasOutbox(postgres))) return 'nothing'
    const failures: unknown[] = []
    const found = await postgres.tx(async (tx) => {
      if (!(await lockOutbox(tx))) return 'busy'
      const rows = await readOutbox(tx, maxEvents, maxBytes)
      if (rows.length === 0) return 'nothing'
      for await (const some of appendOutbox(rows, { ingest, clock, signal: this.#stop.signal })) {
        // Postgres ends the transaction of a process of which it does not hear (a frozen one), and others go on.
        if (some.length === 0) await tx.query('SELECT 1')
        for (const one of some) {
          if ('error' in one) failures.push(one.error)
          else await this.#settle(tx, one)
        }
      }
      return 'sent'
    })
    if (failures.length > 0) throw failures[0]
    return found
  }

  async #settle(
    tx: PostgresTx,
    { rows, refused }: { rows: readonly OutboxRow[]; refused: readonly RefusedRow[] },
  ): Promise<void> {
    if (refused.length > 0) await keepRefused(tx, refused)
    await removeFromOutbox(tx, rows)
    this.#events.add(rows.length - refused.length, { outcome: 'sent' })
    for (const { id, tenant, code, detail } of refused) {
      this.#events.add(1, { outcome: 'refused' })
      this.#deps.logger.warn('an event that a saga emitted is refused', { outbox: id, tenant, code, detail })
    }
  }

  /** Resolves after `ms`, or when there is something new. */
  async #rest(ms: number): Promise<void> {
    if (this.#woken || this.#stop.signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #note(error: unknown): void {
    const reason = messageOf(error)
    if (reason !== this.#failing) {
      this.#deps.logger.warn('events that sagas emitted have to wait', { code: codeOf(error), error: reason })
    }
    this.#failing = reason
  }
}
