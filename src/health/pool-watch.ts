import type { Health } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'

/** So long without a connection given back, while somebody waits for one, is no queue that moves, ms. */
const stillMs = 4_000
/** A caller that waited in vain comes again within this time, ms. */
const againMs = 8_000

/** How many connections of a pool are held, and how many callers wait for one. */
export interface Connections {
  readonly used: number
  readonly idle: number
  readonly waiting: number
}

/** Whether pools of connections give out any: one whose connections are all held, and that nobody gives back, serves nobody. */
export class PoolWatch {
  readonly #now: () => number
  readonly #pools = new Map<string, WatchedConnections>()

  constructor(now: () => number) {
    this.#now = now
  }

  add(name: string, connections: () => Connections): WatchedConnections {
    const pool = new WatchedConnections(connections, this.#now)
    this.#pools.set(name, pool)
    return pool
  }

  tick(): void {
    for (const pool of this.#pools.values()) if (!pool.isShort(this.#now())) pool.moved()
  }

  readonly health = (now: number): Health => {
    for (const [name, pool] of this.#pools) {
      const ms = now - pool.movedAt
      if (ms < stillMs || !pool.isShort(now)) continue
      return { state: 'degraded', reason: `no connection of ${name} was free for ${seconds(ms)}: all are held` }
    }
    return { state: 'ok' }
  }
}

export class WatchedConnections {
  readonly #connections: () => Connections
  readonly #now: () => number
  #refusedAt = Number.NEGATIVE_INFINITY
  movedAt: number

  constructor(connections: () => Connections, now: () => number) {
    this.#connections = connections
    this.#now = now
    this.movedAt = now()
  }

  /** A connection was given back. */
  moved(): void {
    this.movedAt = this.#now()
  }

  /** A caller waited in vain. */
  refused(): void {
    this.#refusedAt = this.#now()
  }

  /** Somebody waits, or did a moment ago, and there is no connection to be had. */
  isShort(now: number): boolean {
    const { used, idle, waiting } = this.#connections()
    return used > 0 && idle === 0 && (waiting > 0 || now - this.#refusedAt < againMs)
  }
}
