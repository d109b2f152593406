import { type Agent, type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { AppError } from '@splitstream/kernel'
import type { Instance } from '../../discovery/resolver.ts'
import { contextOf } from './tls/credentials.ts'
import type { CurrentCredentials } from './tls/rotation.ts'

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

/** What is asked of an instance. */
export interface PoolRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string | number>>
  readonly signal?: AbortSignal
}

interface Agents {
  readonly calls: Agent
  /** Apart, so that streams, which stay open, never take the connections of calls. */
  readonly streams: Agent
}

/** The connections on which a process calls the ports of others. One pool serves all ports. */
export class ConnectionPool {
  readonly #limits: PoolLimits
  readonly #plain: Agents
  readonly #credentials: CurrentCredentials | undefined
  #secure: Agents | undefined
  /** With what was shown before; their connections end with what they are at. */
  #former: Agents[] = []
  readonly #open = { calls: 0, streams: 0 }

  /** @param credentials for instances that are called over mutual TLS */
  constructor(limits: Partial<PoolLimits> = {}, credentials?: CurrentCredentials) {
    this.#limits = { ...defaults, ...limits }
    this.#plain = this.#agents((options) => new HttpAgent(options))
    this.#credentials = credentials
    this.#renew()
    credentials?.onChange(() => this.#renew())
  }

  /** Begins a request. @throws AppError CONFIG_INVALID for an instance at https:// without credentials */
  request({ origin, name }: Instance, streams: boolean, o: PoolRequest): ClientRequest {
    const { protocol, hostname, port } = new URL(origin)
    const kind = streams ? 'streams' : 'calls'
    const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    if (protocol === 'http:') return httpRequest({ agent: this.#plain[kind], host, port: port || 80, ...o })
    if (!this.#secure)
      throw new AppError('CONFIG_INVALID', `${origin} is called with a certificate: set INTERNAL_TLS_CERT`)
    // An IP address is no name to ask for (RFC 6066), and is checked against the certificate all the same.
    const servername = name !== undefined && isIP(name) === 0 ? { servername: name } : {}
    return httpsRequest({ agent: this.#secure[kind], host, port: port || 443, ...servername, ...o })
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
    for (const { calls, streams } of [this.#plain, ...(this.#secure ? [this.#secure] : []), ...this.#former]) {
      calls.destroy()
      streams.destroy()
    }
  }

  #renew(): void {
    const { current } = this.#credentials ?? {}
    if (!current) return
    if (this.#secure) this.#former = [this.#secure, ...this.#former].filter(isInUse)
    // Without kept sessions: each connection proves anew who is there.
    const secure = { ...contextOf(current), maxCachedSessions: 0 }
    this.#secure = this.#agents((options) => new HttpsAgent({ ...options, ...secure }))
  }

  #agents(make: (options: object) => Agent): Agents {
    const { maxSockets, maxStreams, idleMs } = this.#limits
    const common = { keepAlive: true, keepAliveMsecs: 15_000, timeout: idleMs }
    return {
      calls: make({ ...common, maxSockets }),
      streams: make({ ...common, maxSockets: maxStreams, maxFreeSockets: 16 }),
    }
  }
}

/** Closes what is idle, which nobody will ask for again. What is freed later closes after its idle time. */
function isInUse({ calls, streams }: Agents): boolean {
  for (const { freeSockets } of [calls, streams]) {
    for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
  }
  return [calls, streams].some(({ sockets }) => Object.keys(sockets).length > 0)
}
