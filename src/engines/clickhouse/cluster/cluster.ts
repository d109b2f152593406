import {
  AppError,
  type Call,
  type ClickHouse,
  type ClickHouseQuery,
  type Clock,
  checkCall,
  codeOf,
  type Logger,
  type Metrics,
  messageOf,
  remaining,
  whyAborted,
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
 */
export class Cluster implements ClickHouse {
  readonly #o: ClusterOptions
  readonly #standing: Standing<Replica>
  readonly #closed = new AbortController()

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
    const { clock } = this.#o
    let last: unknown
    // One after the other: a new one takes the schema over from those before it.
    for (const replica of this.#o.replicas) {
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

  rows<T>(query: ClickHouseQuery, call: Call): Promise<T[]> {
    if (query.replicas === 'each') {
      return this.#onEach(call, (replica) => replica.driver.rows<T>(query, call)).then((all) => all.flat())
    }
    return this.#read(call, async (replica) => {
      const rows = await replica.driver.rows<T>(query, call)
      // What was seen is committed; once a majority has caught up again, it has it.
      if (query.replicas === 'majority') await this.#majority(call)
      return rows
    })
  }

  stream(query: ClickHouseQuery & { format: string }, call: Call): Promise<AsyncIterable<Uint8Array>> {
    return this.#read(call, (replica) => replica.driver.stream(query, call))
  }

  async command(query: ClickHouseQuery, call: Call): Promise<void> {
    if (query.replicas === 'each') await this.#onEach(call, (replica) => replica.driver.command(query, call))
    else await this.#once(call, (replica) => replica.driver.command(query, call))
  }

  insert(insert: Parameters<ClickHouse['insert']>[0], call: Call): Promise<{ writtenRows: number }> {
    const { clock, quorum } = this.#o
    const settings = {
      ...insert.settings,
      insert_quorum: quorum,
      insert_quorum_parallel: 1,
      insert_quorum_timeout: Math.max(1_000, Math.floor(remaining(call, clock)) - 1_000),
    }
    return this.#once(call, (replica) => replica.driver.insert({ ...insert, settings }, call))
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await Promise.all(this.#o.replicas.map((replica) => replica.close()))
  }

  /** On the first replica that can: a read may be repeated. */
  async #read<T>(call: Call, run: (replica: Replica) => Promise<T>): Promise<T> {
    let last: unknown
    for (const replica of this.#standing.inTurn()) {
      checkCall(call, this.#o.clock)
      try {
        await this.#patiently(
          call,
          replica.prepared().then(() => replica.caughtUp()),
        )
        const value = await run(replica)
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

  /** On one replica, and once. */
  async #once<T>(call: Call, run: (replica: Replica) => Promise<T>): Promise<T> {
    const [replica] = this.#standing.steady()
    try {
      await this.#patiently(call, replica!.prepared())
      return await run(replica!)
    } catch (error) {
      // One that hangs is found out here, and by its trial.
      if (isOfReplica(error) || codeOf(error) === 'DEADLINE_EXCEEDED') this.#leaveOut(replica!, error)
      throw error
    }
  }

  /** Only for statements that may run twice. */
  async #onEach<T>(call: Call, run: (replica: Replica) => Promise<T>): Promise<T[]> {
    const { clock, replicas } = this.#o
    checkCall(call, clock)
    const all = await Promise.all(
      replicas.map(async (replica) => {
        try {
          // A connection that was idle may break as it is used: that says nothing yet.
          return [
            await run(replica).catch((error: unknown) => (isOfReplica(error) ? run(replica) : Promise.reject(error))),
          ]
        } catch (error) {
          if (!isOfReplica(error)) throw error
          this.#leaveOut(replica, error)
          const since = this.#standing.outSince(replica) ?? clock.monotonic()
          if (clock.monotonic() - since >= goneAfterMs) return []
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
    const outcomes = await Promise.allSettled(all)
    const there = outcomes.filter(({ status }) => status === 'fulfilled').length
    if (there >= quorum) return
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
    const pause = this.#standing.failed(replica, this.#o.clock.monotonic())
    // It may be another server when it returns.
    replica.forget()
    this.#o.logger.warn('a replica of ClickHouse is left out', { replica: replica.name, error: messageOf(error) })
    void this.#bringBack(replica, pause)
  }

  /** Tries it after each pause until it works: callers do not pay for that. */
  async #bringBack(replica: Replica, firstPause: number): Promise<void> {
    const { clock, logger } = this.#o
    const { signal } = this.#closed
    for (let pause = firstPause; !signal.aborted; ) {
      await clock.sleep(pause, signal).catch(() => undefined)
      if (signal.aborted || !this.#standing.isOut(replica)) return
      try {
        await replica.prepared()
        await replica.caughtUp()
        return this.#serves(replica)
      } catch (error) {
        logger.debug('a replica of ClickHouse stays out', { replica: replica.name, error: messageOf(error) })
        pause = this.#standing.failed(replica, clock.monotonic())
      }
    }
  }
}

function noneLeft(cause: unknown): AppError {
  const message = 'No replica of ClickHouse can give a complete answer now'
  return new AppError('UNAVAILABLE', message, { cause, retryAfterMs: 1_000 })
}
