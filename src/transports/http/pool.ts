import { Agent } from 'node:http'
import { AppError } from '@splitstream/kernel'

export interface PoolLimits {
  /** Connections for calls, to one instance. */
  readonly maxSockets: number
  /** Calls that run or wait for a connection, over all instances; more are refused with OVERLOADED. */
  readonly maxCalls: number
  /** Streams that are open, over all instances. Each has a connection to itself. */
  readonly maxStreams: number
  /** An idle connection is kept for this long, ms. Less than the server's time, or calls run into its close. */
  readonly idleMs: number
}

const defaults: PoolLimits = { maxSockets: 64, maxCalls: 1_024, maxStreams: 512, idleMs: 30_000 }

/** The connections on which a process calls the ports of others. One pool serves all ports. */
export class ConnectionPool {
  readonly #limits: PoolLimits
  readonly #calls: Agent
  /** Apart, so that streams, which stay open, never take the connections of calls. */
  readonly #streams: Agent
  readonly #open = { calls: 0, streams: 0 }

  constructor(limits: Partial<PoolLimits> = {}) {
    this.#limits = { ...defaults, ...limits }
    const { maxSockets, maxStreams, idleMs } = this.#limits
    const common = { keepAlive: true, keepAliveMsecs: 15_000, timeout: idleMs }
    this.#calls = new Agent({ ...common, maxSockets })
    this.#streams = new Agent({ ...common, maxSockets: maxStreams, maxFreeSockets: 16 })
  }

  agent(streams: boolean): Agent {
    return streams ? this.#streams : this.#calls
  }

  /** Takes a place. The result gives it back. @throws AppError OVERLOADED */
  enter(streams: boolean): () => void {
    const kind = streams ? 'streams' : 'calls'
    const open = this.#open
    if (open[kind] >= (streams ? this.#limits.maxStreams : this.#limits.maxCalls)) {
      throw new AppError('OVERLOADED', `Too many ${kind} to other processes are open`, { retryAfterMs: 1_000 })
    }
    open[kind]++
    let given = false
    return () => {
      if (given) return
      given = true
      open[kind]--
    }
  }

  /** Closes all connections; what still runs on them fails. */
  close(): void {
    this.#calls.destroy()
    this.#streams.destroy()
  }
}
