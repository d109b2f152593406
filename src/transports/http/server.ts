import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, type Clock, type Logger, type Metrics, noMetrics } from '@splitstream/kernel'
import express from 'express'
import { InFlight } from '../../edge/body.ts'
import { type ServerLimits, serverDefaults } from './limits.ts'
import { portsPath } from './paths.ts'
import { PortTable, type ServedPort } from './port-table.ts'
import { sendError } from './respond.ts'
import { RunningCalls } from './running.ts'
import { secretCheck } from './secret.ts'
import { type ServeDeps, serveCall } from './serve-call.ts'
import { servedCalls } from './served-metrics.ts'

export { type Handshake, type ServedPort, servePort } from './port-table.ts'

export interface PortServerOptions {
  readonly ports: readonly ServedPort[]
  /** Shared by all processes of the installation, at least 16 characters. Absent only with `refusal`. */
  readonly secret?: string | undefined
  /** Why the other side of a connection may not call, where certificates say who that is. */
  readonly refusal?: (socket: Socket) => AppError | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
  readonly limits?: Partial<ServerLimits>
  /** The account of request bytes, when the process keeps one for all of its servers. */
  readonly inFlight?: InFlight
}

export interface PortServer {
  /** For every request under /internal/ports; a node:http request listener. Answers everything itself. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** Calls that run now. */
  readonly size: number
  /**
   * Refuses new calls with STOPPING from now on, and resolves when those that run have ended. The signals of streams are aborted
   * at once, those of calls after `drainMs`; a moment later their connections are cut. The sockets belong to whoever listens.
   */
  stop(drainMs?: number): Promise<void>
}

/** Between the abort of the last calls and the cut of their connections, ms. */
const lastWordMs = 500

/**
 * Serves call ports over HTTP: the other side of `callOverHttp`.
 * @throws AppError CONFIG_INVALID for a short secret, and when nothing says who may call
 */
export function createPortServer(o: PortServerOptions): PortServer {
  const limits = { ...serverDefaults, ...o.limits }
  const running = new RunningCalls()
  const inFlight = o.inFlight ?? new InFlight(limits.maxInFlightBytes)
  const state = { stopping: false }
  const served = servedCalls(o.metrics ?? noMetrics)
  const deps: ServeDeps = { clock: o.clock, logger: o.logger, served, limits, inFlight, running }
  return {
    handler: createApp(new PortTable(o.ports), refusalOf(o), deps, state),
    get size() {
      return running.size
    },
    stop: async (drainMs = 10_000) => {
      state.stopping = true
      running.each((call) => call.streaming && call.abort())
      if (await running.empty(drainMs)) return
      running.each((call) => call.abort())
      if (await running.empty(lastWordMs)) return
      o.logger.warn('calls of ports were cut', { calls: running.size })
      running.each((call) => call.cut())
    },
  }
}

function createApp(
  table: PortTable,
  refusal: (request: IncomingMessage) => AppError | undefined,
  deps: ServeDeps,
  state: { readonly stopping: boolean },
): PortServer['handler'] {
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('strict routing').enable('case sensitive routing')
  app.set('query parser', false)
  // Before anything else: a stranger does not even learn which ports there are.
  app.use((request: express.Request, response: express.Response, next: express.NextFunction) => {
    const refused = refusal(request)
    if (refused) refuse(request, response, refused)
    else next()
  })
  app.get(portsPath, (_request, response) => {
    response.json(table.handshake)
  })
  app.post(`${portsPath}/:port/:version/:method`, (request, response) => {
    if (state.stopping) throw new AppError('STOPPING', 'The process stops', { retryAfterMs: 1_000 })
    const { port, version, method } = request.params
    void serveCall(deps, table.find(port, version, method), request, response)
  })
  app.use((request: express.Request, response: express.Response) => {
    refuse(request, response, new AppError('NOT_FOUND', 'There is nothing at this path'))
  })
  // Four parameters: that is how express knows an error handler. Errors of its own are about the path's encoding.
  app.use((error: unknown, request: express.Request, response: express.Response, _next: express.NextFunction) => {
    const invalid = (): AppError => new AppError('REQUEST_INVALID', 'The path is not valid', { cause: error })
    refuse(request, response, error instanceof AppError ? error : invalid())
  })
  return app
}

/** All that is asked for has to be shown. */
function refusalOf({ secret, refusal }: PortServerOptions): (request: IncomingMessage) => AppError | undefined {
  if (secret === undefined && !refusal) {
    throw new AppError('CONFIG_INVALID', 'Nothing says who may call: internal calls need a secret or certificates')
  }
  const isSecret = secret === undefined ? () => true : secretCheck(secret)
  return ({ socket, headers }) => {
    const refused = refusal?.(socket)
    if (refused || isSecret(headers.authorization)) return refused
    return new AppError('UNAUTHENTICATED', 'Internal calls need the secret of the installation')
  }
}

const refuse = (request: IncomingMessage, response: ServerResponse, error: AppError): void =>
  sendError(request, response, error, 'refused')
