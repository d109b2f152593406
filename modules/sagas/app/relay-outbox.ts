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
  systemCall,
  traceIdOf,
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
import { appendEmitted } from './append-emitted.ts'
import { UnderWay } from './under-way.ts'

/** Events sent at once. */
const [maxEvents, maxBytes] = [500, 4 << 20]
const appendBudgetMs = 10_000
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

  /** Sends one batch. @throws AppError when some of it has to wait */
  async #ship(): Promise<'sent' | 'nothing' | 'busy'> {
    const { postgres } = this.#deps
    if (!(await hasOutbox(postgres))) return 'nothing'
    const failures: unknown[] = []
    const found = await postgres.tx(async (tx) => {
      if (!(await lockOutbox(tx))) return 'busy'
      const rows = await readOutbox(tx, maxEvents, maxBytes)
      if (rows.length === 0) return 'nothing'
      for (const result of await Promise.allSettled(this.#send(rows))) {
        if (result.status === 'rejected') failures.push(result.reason)
        else await this.#settle(tx, result.value)
      }
      return 'sent'
    })
    if (failures.length > 0) throw failures[0]
    return found
  }

  /**
   * By tenant, side by side. Of a tenant those of one trace together, one after the other: an append belongs to one trace. A saga
   * is traced or not, so what it emits stays in order.
   */
  #send(rows: readonly OutboxRow[]): Promise<{ rows: readonly OutboxRow[]; refused: readonly RefusedRow[] }>[] {
    const { ingest, clock } = this.#deps
    return [...Map.groupBy(rows, ({ tenant }) => tenant)].map(async ([tenant, mine]) => {
      const refused: RefusedRow[] = []
      for (const [first, ...more] of byTrace(mine)) {
        const call = systemCall(clock, appendBudgetMs, this.#stop.signal, tenant)
        const traced = first.traceparent === null ? call : { ...call, traceparent: first.traceparent }
        refused.push(...(await appendEmitted(ingest, [first, ...more], traced)))
      }
      return { rows: mine, refused }
    })
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

/** In the order of the first of each. */
function byTrace(rows: readonly OutboxRow[]): readonly [OutboxRow, ...OutboxRow[]][] {
  const groups = Map.groupBy(rows, ({ traceparent }) => traceIdOf(traceparent ?? undefined))
  return [...groups.values()] as [OutboxRow, ...OutboxRow[]][]
}
