import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  AppError,
  type Clock,
  type Health,
  type Logger,
  type Metrics,
  noTracer,
  type Route,
  type Tracer,
} from '@splitstream/kernel'
import { Admission } from './admission/admission.ts'
import { LoadShedder } from './admission/load-shedder.ts'
import { Rests } from './admission/rests.ts'
import type { Authenticator } from './authenticate.ts'
import { InFlight } from './body.ts'
import { Connections, endAfter } from './connections.ts'
import { Exchange } from './exchange.ts'
import { HotLane } from './hot-lane.ts'
import { HttpMetrics } from './http-metrics.ts'
import { HttpSpans } from './http-spans.ts'
import { type EdgeLimits, limitsOf } from './limits.ts'
import { close, connectionsOf, listen, stopListening } from './listen.ts'
import { opsRoutes } from './ops-routes.ts'
import type { Quotas } from './quota/quotas.ts'
import { checkRaw, splitTarget } from './raw-checks.ts'
import { parserError, refuseSocket } from './refuse-socket.ts'
import { createRouter, failing } from './router.ts'
import { createServe, type Serve } from './serve.ts'
import { Watch } from './watch.ts'

export type { EdgeLimits } from './limits.ts'

export interface EdgeOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Another process may listen on the same port. */
  readonly sharePort?: boolean
  readonly routes: readonly Route[]
  readonly keys: Authenticator
  readonly clock: Clock
  readonly logger: Logger
  /** With `text`, /metrics is served too. */
  readonly metrics: Metrics & { text?(): Promise<string> }
  readonly tracer?: Tracer
  /** By part. With it the edge serves /health, /health/live and /health/ready. */
  readonly health?: () => Record<string, Health>
  /** Started, and not stopping. */
  readonly ready?: () => boolean
  readonly limits?: Partial<EdgeLimits>
  /** Request bytes in memory over all requests; 128 MiB when not given. */
  readonly maxInFlightBytes?: number
  /** The account of request bytes, when the caller keeps it (then the caller shows it in the metrics too). */
  readonly inFlight?: InFlight
  /** How long requests may wait for the event loop while it cannot keep up, ms; 50 when not given, 0: any time. */
  readonly delayMs?: number
  readonly quotas?: Quotas
  /** Short for `limits.maxBodyBytes` and `limits.bodyTimeoutMs`. */
  readonly body?: { readonly maxBytes: number; readonly timeoutMs: number }
  /** Takes all requests under /internal/: calls of other processes. Authenticates and limits by itself. */
  readonly internal?: (request: IncomingMessage, response: ServerResponse) => void
  /** Short for `limits.budgetMs`. */
  readonly budgetMs?: number
}

export interface Edge {
  /** @throws AppError CONFIG_INVALID when the address cannot be listened on */
  start(): Promise<{ url: string }>
  /**
   * Serves on for `ms`, and ends every connection with its next answer, so that clients go elsewhere. A shared port is left at
   * once, and then this ends as soon as there is no connection any more.
   */
  drain(ms: number): Promise<void>
  /** How long requests may wait for the event loop from now on (EdgeOptions.delayMs). */
  setDelay(ms: number): void
  /** Takes no new connections, lets running requests end within `drainMs` (10,000), then cuts them. */
  stop(drainMs?: number): Promise<void>
}

/**
 * Public HTTP. Routes marked hot are found before express sees the request: the ingest path costs microseconds.
 * All go through the same steps (serve.ts).
 */
export function createEdge(o: EdgeOptions): Edge {
  const limits = limitsOf({
    ...(o.body && { maxBodyBytes: o.body.maxBytes, bodyTimeoutMs: o.body.timeoutMs }),
    ...(o.budgetMs !== undefined && { budgetMs: o.budgetMs }),
    ...o.limits,
  })
  const watch = new Watch(o.clock)
  const inFlight = o.inFlight ?? new InFlight(o.maxInFlightBytes ?? 128 << 20)
  const metrics = new HttpMetrics(o.metrics)
  const spans = new HttpSpans(o.tracer ?? noTracer)
  const { keys, clock, logger, quotas } = o
  const rests = new Rests()
  const shedder = new LoadShedder({
    clock,
    delayMs: o.delayMs ?? 50,
    metrics: o.metrics,
    restMs: () => rests.ms,
    onRefusalShare: (share) => rests.adapt(share),
  })
  const admission = new Admission({ shedder, quotas, rests })
  const stopping = new AbortController()
  const served = { metrics, spans, inFlight, admission, limits, stopping: stopping.signal }
  const serve = createServe({ keys, clock, logger, ...served })
  const front = new Front(allRoutes(o), serve, limits, watch, o.internal)
  const server = createHttpServer(front, limits)
  rests.watch(server)
  o.metrics.gauge('http.server.active_requests', 'Requests not yet answered', () => watch.size, '{request}')
  if (!o.inFlight) inFlight.tell(o.metrics)
  return {
    start: () => {
      watch.start()
      return listen(server, { host: o.host, port: o.port, shared: o.sharePort })
    },
    setDelay: (ms) => shedder.setDelay(ms),
    drain: async (ms) => {
      stopping.abort()
      if (ms <= 0) return
      front.stopping = true
      if (o.sharePort) stopListening(server)
      for (const end = o.clock.monotonic() + ms; o.clock.monotonic() < end; await o.clock.sleep(50)) {
        if (!server.listening && (await connectionsOf(server)) === 0) return
      }
    },
    stop: async (drainMs = 10_000) => {
      stopping.abort()
      front.stopping = true
      await close(server, drainMs)
      watch.stop()
    },
  }
}

function allRoutes({ routes, health, ready, metrics }: EdgeOptions): readonly Route[] {
  if (!health) return routes
  const started = ready ?? (() => true)
  return [...routes, ...opsRoutes({ health, started, metricsText: async () => (await metrics.text?.()) ?? '' })]
}

/** Where requests come in: each becomes an exchange, the hot ones are dispatched at once, the others through express. */
class Front {
  stopping = false
  readonly #hot: HotLane
  readonly #dispatch: ReturnType<typeof createRouter>
  readonly #serve: Serve
  readonly #limits: EdgeLimits
  readonly #watch: Watch
  readonly #connections = new Connections()
  readonly #prefix = randomBytes(6).toString('base64url')
  readonly #internal: EdgeOptions['internal']
  #counter = 0

  constructor(
    routes: readonly Route[],
    serve: Serve,
    limits: EdgeLimits,
    watch: Watch,
    internal: EdgeOptions['internal'],
  ) {
    this.#internal = internal
    this.#hot = new HotLane(routes)
    this.#dispatch = createRouter(routes, serve)
    this.#serve = serve
    this.#limits = limits
    this.#watch = watch
  }

  readonly request = (request: IncomingMessage, response: ServerResponse): void => {
    if (this.#internal && request.url?.startsWith('/internal/')) return this.#internal(request, response)
    const connection = this.#connections.of(request.socket)
    // Sent ahead on a connection that is about to be closed: never looked at, so the client may send it again.
    if (connection.ending) return
    const exchange = new Exchange(request, response, this.#nextId(), this.#watch)
    response.once('close', () => {
      connection.closed()
      exchange.closed()
    })
    const last = connection.opened(exchange, this.#limits.maxRequestsPerSocket)
    if (last || this.stopping) endAfter(response, connection)
    try {
      if (connection.pending > this.#limits.maxPipelined) {
        endAfter(response, connection)
        throw new AppError('OVERLOADED', 'Too many requests are sent ahead on one connection', { retryAfterMs: 1000 })
      }
      checkRaw(request)
      const { path, query } = splitTarget(request.url ?? '/')
      const hot = this.#hot.find(request.method, path)
      if (hot) void this.#serve(exchange, () => ({ ...hot, query }))
      else this.#dispatch(exchange, query)
    } catch (error) {
      void this.#serve(exchange, failing(error))
    }
  }

  /** The bytes were not HTTP, or came too slowly. The request that they belong to answers, if there is one. */
  readonly refuse = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const connection = this.#connections.of(socket as IncomingMessage['socket'])
    const { latest } = connection
    const why = parserError(error)
    if (connection.pending === 0 || !latest) {
      connection.ending = true
      refuseSocket(why, socket, this.#nextId())
      return
    }
    // Answers leave in order, and this one is behind others: the newest request ends the connection.
    endAfter(latest.response, connection)
    if (latest.request.complete) return
    latest.fail(why)
    latest.response.once('finish', () => socket.end())
  }

  readonly connect = (_request: IncomingMessage, socket: Duplex): void => {
    const refused = new AppError('METHOD_NOT_ALLOWED', 'This is no proxy', { details: { allow: 'GET, POST' } })
    refuseSocket(refused, socket, this.#nextId())
  }

  #nextId(): string {
    return `${this.#prefix}-${(this.#counter++).toString(36)}`
  }
}

function createHttpServer(front: Front, limits: EdgeLimits): Server {
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.headersTimeoutMs,
      // The second line of defence: a body that nobody reads.
      requestTimeout: limits.headersTimeoutMs + limits.bodyTimeoutMs + 5_000,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
    },
    front.request,
  )
  server.maxConnections = limits.maxConnections
  server.on('clientError', front.refuse)
  server.on('connect', front.connect)
  // Both go the ordinary way: checkRaw refuses the wrong ones, and the body reader sends the 100.
  server.on('checkContinue', front.request)
  server.on('checkExpectation', front.request)
  return server
}
