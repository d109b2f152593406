import {
  AppError,
  type Call,
  type ClickHouse,
  type ClickHouseQuery,
  type Clock,
  checkCall,
  codeOf,
  type Health,
  type Logger,
  type Metrics,
  messageOf,
  remaining,
  whyAborted,
  withSignal,
} from '@splitstream/kernel'
import { isOfReplica } from './errors.ts'
import type { Replica } from './replica.ts'
import { Standing } from './standing.ts'

/**
 * A replica that has been away for so long runs no insert of ours any more: each carries its time limit. Longer than the longest
 * (120 s in bind.ts), ms.
 */
const goneAfterMs = 150_000

/** How long a start waits for the first replica, ms. */
const firstReplicaMs = 60_000
/** Between the end of a question to a replica and the next one, ms. */
const beatMs = 250
/** For how long it is told that a statement for all replicas was held up, ms: whoever wants it comes again within 5 s. */
const heldUpMs = 6_000

export interface ClusterOptions {
  readonly replicas: readonly Replica[]
  /** How many replicas have to have a part before an insert is answered. */
  readonly quorum: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * The driver of modules over the replicas of one cluster (docs/adr/0013).
 *
 * Reads go to a replica that has first caught up with what is committed; one that cannot is passed over, and when none can the
 * answer is UNAVAILABLE, never a short one. Inserts go to one replica, with a quorum. One that fails is not repeated here: the
 * caller goes back to its range, as after a crash, and its next insert finds another replica.
 *
 * Each replica is asked all the time whether it answers. One that does not is left out, and what runs on it ends: that it hangs is
 * found out within 4 s, whatever the budgets of calls are.
 */
export class Cluster implements ClickHouse {
  readonly #o: ClusterOptions
  readonly #standing: Standing<Replica>
  readonly #closed = new AbortController()
  readonly #returning = new Set<Replica>()
  #heldUp: { readonly why: string; readonly at: number } | undefined

  constructor(o: ClusterOptions) {
    this.#o = o
    this.#standing = new Standing(o.replicas)
    const states = () =>
      (['serving', 'out'] as const).map((state) => {
        const serving = this.#standing.serving().length
        return [{ state }, state === 'serving' ? serving : o.replicas.length - serving] as const
      })
    o.metrics.gauge('splitstream.clickhouse.replicas', 'Replicas of ClickHouse by state', states, '{replica}')
  }

  /**
   * Prepares the replicas; those that are away are prepared when they return.
   * @throws AppError UNAVAILABLE when none has come within a minute, CONFIG_INVALID when one is set up in a way that cannot work
   */
  async start(): Promise<void> {
    const { clock, replicas } = this.#o
    await Promise.all(replicas.map((replica) => replica.heartbeat.ask(this.#closed.signal)))
    for (const replica of replicas) void this.#watch(replica)
    let last: unknown
    // One after the other: a new one takes the schema over from those before it.
    for (const replica of replicas) {
      try {
        await replica.prepared()
      } catch (error) {
        if (!isOfReplica(error)) throw error
        last = error
        this.#leaveOut(replica, error)
      }
    }
    // Servers and Keepers that start at the same time as this process.
    for (const until = clock.monotonic() + firstReplicaMs; this.#standing.serving().length === 0; ) {
      if (clock.monotonic() > until) throw noneLeft(last)
      await clock.sleep(100)
    }
  }

  /** Degraded while inserts wait for replicas to come back; which replicas serve is in the metrics. */
  health(): Health {
    const { replicas, quorum, clock } = this.#o
    const gone = replicas.flatMap(({ heartbeat }) => heartbeat.gone ?? [])
    if (replicas.length - gone.length < quorum) {
      const reason = `${gone.length} of ${replicas.length} replicas of ClickHouse do not answer: ${gone[0]!.message}`
      return { state: 'degraded', reason }
    }
    const held = this.#heldUp
    if (!held || clock.monotonic() - held.at > heldUpMs) return { state: 'ok' }
    return { state: 'degraded', reason: held.why }
  }

  rows<T>(query: ClickHouseQuery, call: Call): Promise<T[]> {
    if (query.replicas === 'each') {
      return this.#onEach(call, (replica, within) => replica.driver.rows<T>(query, within)).then((all) => all.flat())
    }
    if (query.replicas === 'any') {
      return this.#onAny(call, (replica, within) => replica.driver.rows<T>(query, within))
    }
    return this.#read(call, async (replica, within) => {
      const rows = await replica.driver.rows<T>(query, within)
      // What was seen is committed; once a majority has caught up again, it has it.
      if (query.replicas === 'majority') await this.#majority(call)
      return rows
    })
  }

  stream(query: ClickHouseQuery & { format: string }, call: Call): Promise<AsyncIterable<Uint8Array>> {
    return this.#read(call, (replica, within) => replica.driver.stream(query, within))
  }

  async command(query: ClickHouseQuery, call: Call): Promise<void> {
    const run: Run<void> = (replica, within) => replica.driver.command(query, within)
    if (query.replicas === 'each') await this.#onEach(call, run)
    else await this.#once(call, run)
  }

  insert(insert: Parameters<ClickHouse['insert']>[0], call: Call): Promise<{ writtenRows: number }> {
    const { clock, quorum } = this.#o
    const settings = {
      ...insert.settings,
      insert_quorum: quorum,
      insert_quorum_parallel: 1,
      insert_quorum_timeout: Math.max(1_000, Math.floor(remaining(call, clock)) - 1_000),
    }
    return this.#once(call, (replica, within) => replica.driver.insert({ ...insert, settings }, within))
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await Promise.all(this.#o.replicas.map((replica) => replica.close()))
  }

  /** On the first replica that can: a read may be repeated. */
  async #read<T>(call: Call, run: Run<T>): Promise<T> {
    let last: unknown
    for (const replica of doubtfulLast(this.#standing.inTurn())) {
      checkCall(call, this.#o.clock)
      try {
        const value = await this.#complete(replica, call, run)
        this.#serves(replica)
        return value
      } catch (error) {
        if (!isOfReplica(error)) throw error
        last = error
        this.#leaveOut(replica, error)
      }
    }
    throw noneLeft(last)
  }

  /** On two that can be expected to answer, at the same time; the first answer counts, and ends the other. */
  async #onAny<T>(call: Call, run: Run<T>): Promise<T> {
    const two = doubtfulLast(this.#standing.steady()).slice(0, 2)
    const other = new AbortController()
    const within = withSignal(call, AbortSignal.any([call.signal, other.signal]))
    try {
      return await Promise.any(two.map((replica) => this.#complete(replica, within, run)))
    } catch (error) {
      throw (error as AggregateError).errors[0]
    } finally {
      other.abort()
    }
  }

  /** Once the replica has all that is committed. */
  async #complete<T>(replica: Replica, call: Call, run: Run<T>): Promise<T> {
    return await replica.heartbeat.whileItBeats(call, async (within) => {
      await this.#patiently(
        within,
        replica.prepared().then(() => replica.caughtUp()),
      )
      return await run(replica, within)
    })
  }

  /** On one replica, and once. */
  async #once<T>(call: Call, run: Run<T>): Promise<T> {
    const [replica] = doubtfulLast(this.#standing.steady())
    try {
      return await replica!.heartbeat.whileItBeats(call, async (within) => {
        await this.#patiently(within, replica!.prepared())
        return await run(replica!, within)
      })
    } catch (error) {
      // It answers, and does not come to an end: found out here, and by its trial.
      if (isOfReplica(error) || codeOf(error) === 'DEADLINE_EXCEEDED') this.#leaveOut(replica!, error)
      throw error
    }
  }

  /**
   * Only for statements that may run twice. One that does not answer fails it at once, until it has been away for longer than
   * an insert may take.
   */
  async #onEach<T>(call: Call, run: Run<T>): Promise<T[]> {
    const { clock, replicas } = this.#o
    checkCall(call, clock)
    const all = await Promise.all(
      replicas.map(async (replica) => {
        const once = () => replica.heartbeat.whileItBeats(call, (within) => run(replica, within))
        try {
          // A connection that was idle may break as it is used: that says nothing yet.
          return [await once().catch((error: unknown) => (isOfReplica(error) ? once() : Promise.reject(error)))]
        } catch (error) {
          if (!isOfReplica(error)) throw error
          this.#leaveOut(replica, error)
          const now = clock.monotonic()
          const forMs = now - (this.#standing.outSince(replica) ?? now)
          if (forMs >= goneAfterMs) return []
          const why = `inserts of ${replica.name} may run: it is passed over in ${Math.ceil((goneAfterMs - forMs) / 1_000)} s`
          this.#heldUp = { why: `${messageOf(error)}; ${why}`, at: now }
          throw error
        }
      }),
    )
    return all.flat()
  }

  /** @throws AppError UNAVAILABLE when fewer than a quorum have all that is committed */
  async #majority(call: Call): Promise<void> {
    const { replicas, quorum } = this.#o
    const all = replicas.map((replica) => this.#patiently(call, replica.caughtUp()))
    const there = await reach(quorum, all)
    if (there >= quorum) return
    checkCall(call, this.#o.clock)
    throw new AppError('UNAVAILABLE', `${there} of ${replicas.length} replicas of ClickHouse have all that is stored`, {
      retryAfterMs: 1_000,
    })
  }

  /** Work that is shared with other callers ends for this one with its call. */
  async #patiently<T>(call: Call, work: Promise<T>): Promise<T> {
    const over = new AbortController()
    const signal = AbortSignal.any([call.signal, over.signal])
    const late = this.#o.clock.sleep(remaining(call, this.#o.clock), signal).then(
      () => new AppError('DEADLINE_EXCEEDED', 'ClickHouse did not answer in time'),
      () => whyAborted(call.signal),
    )
    try {
      const failed = late.then((error) => Promise.reject(error))
      failed.catch(() => undefined)
      return await Promise.race([work, failed])
    } finally {
      over.abort()
    }
  }

  #serves(replica: Replica): void {
    if (this.#standing.worked(replica))
      this.#o.logger.info('a replica of ClickHouse serves again', { replica: replica.name })
  }

  #leaveOut(replica: Replica, error: unknown): void {
    if (this.#standing.isOut(replica) || this.#closed.signal.aborted) return
    this.#standing.failed(replica, this.#o.clock.monotonic())
    // It may be another server when it returns.
    replica.forget()
    this.#o.logger.warn('a replica of ClickHouse is left out', { replica: replica.name, error: messageOf(error) })
  }

  /** Asks it whether it answers, and tries it after each pause while it is out: callers do not pay for either. */
  async #watch(replica: Replica): Promise<void> {
    const { clock } = this.#o
    const { signal } = this.#closed
    for (;;) {
      await clock.sleep(beatMs, signal).catch(() => undefined)
      if (!signal.aborted) await replica.heartbeat.ask(signal)
      if (signal.aborted) return
      const { gone } = replica.heartbeat
      if (gone) this.#leaveOut(replica, gone)
      else if (this.#standing.isDue(replica, clock.monotonic())) void this.#bringBack(replica)
    }
  }

  async #bringBack(replica: Replica): Promise<void> {
    if (this.#returning.has(replica)) return
    this.#returning.add(replica)
    try {
      await replica.prepared()
      await replica.caughtUp()
      this.#serves(replica)
    } catch (error) {
      this.#o.logger.debug('a replica of ClickHouse stays out', { replica: replica.name, error: messageOf(error) })
      this.#standing.failed(replica, this.#o.clock.monotonic())
    } finally {
      this.#returning.delete(replica)
    }
  }
}

type Run<T> = (replica: Replica, call: Call) => Promise<T>

/** In the same order otherwise. */
const doubtfulLast = (replicas: readonly Replica[]): Replica[] =>
  replicas.toSorted((a, b) => Number(a.heartbeat.inDoubt) - Number(b.heartbeat.inDoubt))

/** How many were fulfilled, as soon as that is `enough`, or when all have ended. */
function reach(enough: number, all: readonly Promise<unknown>[]): Promise<number> {
  return new Promise((resolve) => {
    let [there, open] = [0, all.length]
    const ended = (fulfilled: number): void => {
      there += fulfilled
      open--
      if (there >= enough || open === 0) resolve(there)
    }
    for (const one of all)
      one.then(
        () => ended(1),
        () => ended(0),
      )
  })
}

function noneLeft(cause: unknown): AppError {
  const message = 'No replica of ClickHouse can give a complete answer now'
  return new AppError('UNAVAILABLE', message, { cause, retryAfterMs: 1_000 })
}
