import {
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type Clock,
  codeOf,
  systemCall,
} from '@splitstream/kernel'
import { CaughtUp } from './caught-up.ts'
import { Heartbeat } from './heartbeat.ts'

/** How long a replica may take to fetch what it lacks, s. One that takes longer is behind. */
const catchUpSeconds = 3
const catchUpMs = catchUpSeconds * 1_000 + 1_000
const prepareMs = 60_000

/** PULL takes over Keeper's log of the table; LIGHTWEIGHT waits for the parts in it as well. */
export const catchUp = (table: string, how: 'PULL' | 'LIGHTWEIGHT'): string => `SYSTEM SYNC REPLICA ${table} ${how}`

export interface ReplicaOptions {
  /** Host and port. */
  readonly name: string
  readonly driver: ClickHouse & { close(): Promise<void> }
  readonly clock: Clock
  /** Checks the server and makes its tables. */
  readonly prepare: (call: Call) => Promise<void>
  /** Whether it answers at all. Ends with its signal. */
  readonly ping: (signal: AbortSignal) => Promise<unknown>
  /** Replicated tables of the database. */
  readonly tables: readonly string[]
}

/**
 * One replica of the cluster. States: new → prepared → (left out) new. Whether it is asked is for Standing to say. While its
 * heart does not beat, whatever is asked of it ends at once: a server that hangs ends nothing by itself.
 */
export class Replica {
  readonly name: string
  readonly driver: ReplicaOptions['driver']
  readonly heartbeat: Heartbeat
  readonly #o: ReplicaOptions
  readonly #caughtUp: CaughtUp
  readonly #closed = new AbortController()
  #prepared: Promise<void> | undefined

  constructor(o: ReplicaOptions) {
    this.name = o.name
    this.driver = o.driver
    this.#o = o
    this.heartbeat = new Heartbeat(`The replica ${o.name} of ClickHouse`, o.ping, o.clock)
    this.#caughtUp = new CaughtUp(() =>
      this.heartbeat.whileItBeats(this.#system(catchUpMs), (call) => this.#catchUp(call)),
    )
  }

  /**
   * Checked, and with its tables. Done once for each time that it comes into use.
   * @throws AppError UNAVAILABLE when it does not answer or takes over a minute; CONFIG_INVALID when it is set up in a way that cannot work
   */
  async prepared(): Promise<void> {
    const preparing = this.#prepared ?? this.heartbeat.whileItBeats(this.#system(prepareMs), this.#o.prepare)
    this.#prepared = preparing
    try {
      await preparing
    } catch (error) {
      if (this.#prepared === preparing) this.#prepared = undefined
      if (codeOf(error) !== 'DEADLINE_EXCEEDED') throw error
      throw new AppError('UNAVAILABLE', `The replica ${this.name} of ClickHouse takes too long to get ready`, {
        cause: error,
        retryAfterMs: 1_000,
      })
    }
  }

  /** It is prepared again before it is used again. */
  forget(): void {
    this.#prepared = undefined
  }

  /**
   * Resolves once the replica has every part that was committed in Keeper before this call.
   * @throws AppError UNAVAILABLE when it stays behind or does not answer; the engine's error when it has no Keeper
   */
  caughtUp(): Promise<void> {
    return this.#caughtUp.now()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.driver.close()
  }

  #system(budgetMs: number): Call {
    return systemCall(this.#o.clock, budgetMs, this.#closed.signal)
  }

  /** Takes over Keeper's log of the table, and waits for the parts in it; not for merges. */
  async #catchUp(call: Call): Promise<void> {
    try {
      for (const table of this.#o.tables) {
        const sql = catchUp(table, 'LIGHTWEIGHT')
        await this.driver.command({ sql, settings: { receive_timeout: catchUpSeconds } }, call)
      }
    } catch (error) {
      const isLate = error instanceof ClickHouseError ? error.number === 159 : codeOf(error) === 'DEADLINE_EXCEEDED'
      if (!isLate) throw error
      const message = `The replica ${this.name} of ClickHouse does not have all that is stored`
      throw new AppError('UNAVAILABLE', message, { cause: error, retryAfterMs: 1_000 })
    }
  }
}
