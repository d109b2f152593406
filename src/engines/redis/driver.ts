import { type Health, type Logger, type Random, systemRandom } from '@splitstream/kernel'
import { Redis } from 'ioredis'
import { hostOf } from './urls.ts'

/** A command takes this long at most, ms, the handshake's commands too: a hint has to be there within 50 ms. */
const defaultTimeoutMs = 40
/** A connection with commands under way that brings nothing for this long is given up, ms. */
const silenceMs = 500
const connectTimeoutMs = 1_000
/** Between two attempts to connect, ms: doubled each time, with jitter. */
const [firstRetryMs, lastRetryMs] = [100, 2_000]
/** Commands that wait for an answer of a node; above it the node is not ready, so that a stalled one cannot fill the memory. */
const maxInFlight = 1_000

/** One Redis. */
export interface RedisNode {
  /** host:port */
  readonly name: string
  /** Connected, and not too many callers wait for it: when it is false, asking is no use. */
  readonly ready: boolean
  /**
   * Runs a Lua script on one key. Never sent twice, and never kept for later.
   * @throws Error at once when it is not connected, and after the command timeout when there is no answer: then it may have
   * run. Also when Redis refuses it
   */
  run(script: string, key: string, args: readonly (string | number)[]): Promise<unknown>
}

export interface RedisNodes {
  readonly nodes: readonly RedisNode[]
  /** Degraded, never down: nothing depends on Redis. */
  health(): Health
  /** Gives up what is under way. Safe to call twice. */
  close(): Promise<void>
}

/**
 * Connections to independent Redis nodes, one each. They are made in the background, now and whenever one is lost, at most
 * every 100 ms to 2 s; nobody waits for them, and a Redis that is away stops no start. An outage is logged once, at its
 * beginning and end.
 * @param urls as parseRedisUrls gives them
 * @param commandTimeoutMs 40 when not given
 * @param meanwhile what holds without a node, for the log
 */
export function connectRedis(
  urls: readonly string[],
  log: Logger,
  commandTimeoutMs: number = defaultTimeoutMs,
  meanwhile = 'locks do without it',
  random: Random = systemRandom,
): RedisNodes {
  const nodes = urls.map((url) => new Node(url, log, commandTimeoutMs, meanwhile, random))
  return {
    nodes,
    health: () => {
      const away = nodes.filter((node) => !node.connected).map(({ name }) => name)
      return away.length === 0 ? { state: 'ok' } : { state: 'degraded', reason: `Redis is away: ${away.join(', ')}` }
    },
    close: async () => {
      for (const node of nodes) node.close()
    },
  }
}

class Node implements RedisNode {
  readonly name: string
  readonly #redis: Redis
  #inFlight = 0
  #closed = false

  constructor(url: string, log: Logger, commandTimeout: number, meanwhile: string, random: Random) {
    this.name = hostOf(url) ?? 'redis'
    this.#redis = new Redis(url, {
      connectionName: 'splitstream',
      disableClientInfo: true,
      connectTimeout: connectTimeoutMs,
      commandTimeout,
      socketTimeout: silenceMs,
      // A node that stands still does not close its side: do not wait for it.
      disconnectTimeout: 100,
      retryStrategy: (times) => Math.min(firstRetryMs * 2 ** (times - 1), lastRetryMs) * (0.75 + random.fraction() / 2),
      // Nothing is kept for later or sent again: a late hint is a wrong one.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
    })
    this.#tellOutages(log, meanwhile)
  }

  get connected(): boolean {
    return this.#redis.status === 'ready'
  }

  get ready(): boolean {
    return this.connected && this.#inFlight < maxInFlight
  }

  async run(script: string, key: string, args: readonly (string | number)[]): Promise<unknown> {
    this.#inFlight++
    try {
      return await this.#redis.eval(script, 1, key, ...args)
    } finally {
      this.#inFlight--
    }
  }

  close(): void {
    this.#closed = true
    this.#redis.disconnect()
  }

  #tellOutages(log: Logger, meanwhile: string): void {
    let away = false
    const lost = (why: string): void => {
      if (away || this.#closed) return
      away = true
      log.warn(`a Redis node is away: ${meanwhile}`, { node: this.name, error: why })
    }
    this.#redis.on('error', (error: Error) => lost(error.message))
    this.#redis.on('close', () => lost('the connection was closed'))
    this.#redis.on('ready', () => {
      if (away) log.info('a Redis node is back', { node: this.name })
      away = false
    })
  }
}
