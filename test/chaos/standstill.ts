import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { Stalls } from '../support/stalls.ts'

const everyMs = 200

/** Watches, in the table where it is recorded, how far each partition is stored. */
export class Standstill implements AsyncDisposable {
  readonly #client: pg.Client
  readonly #stalls = new Stalls()
  /** How far each partition was when it was last seen to move, and since when. */
  readonly #moved = new Map<number, { next: string; at: number }>()
  readonly #stop = new AbortController()
  #longestMs = 0
  #looking: Promise<void> | undefined

  constructor(postgresUrl: string) {
    this.#client = new pg.Client({ connectionString: postgresUrl })
  }

  /** Begins when it has seen so many partitions. @throws Error when they do not come within `limitMs` */
  async start(partitions: number, limitMs = 60_000): Promise<void> {
    await this.#client.connect()
    for (const until = performance.now() + limitMs; this.#moved.size < partitions; await delay(everyMs)) {
      if (performance.now() > until) throw new Error(`only ${this.#moved.size} of ${partitions} partitions are stored`)
      await this.#look()
    }
    for (const one of this.#moved.values()) one.at = performance.now()
    this.#longestMs = 0
    this.#looking = this.#go()
  }

  /**
   * The longest time for which a partition did not move on, ms, without that in which this process could not have seen it. Only
   * while all partitions are being written to.
   */
  get longestMs(): number {
    return Math.round(this.#longestMs)
  }

  /** Partitions that have not moved since a moment of `performance.now()`. It looks once more: one may have moved just now. */
  async still(since: number): Promise<number[]> {
    await this.#look()
    return [...this.#moved].flatMap(([partition, { at }]) => (at < since ? [partition] : []))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#looking?.catch(() => undefined)
    this.#stalls[Symbol.dispose]()
    await this.#client.end()
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look()
      await delay(everyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const { rows } = await this.#client.query<{ log_partition: number; next_offset: string }>(
      'SELECT log_partition, next_offset FROM storage.progress',
    )
    const now = performance.now()
    for (const { log_partition: partition, next_offset: next } of rows) {
      const last = this.#moved.get(partition)
      if (last) this.#longestMs = Math.max(this.#longestMs, now - last.at - this.#stalls.between(last.at, now))
      if (last?.next !== next) this.#moved.set(partition, { next, at: now })
    }
  }
}
