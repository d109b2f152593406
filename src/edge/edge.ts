import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { AppError, type ErrorCode, type Route } from '@splitstream/kernel'
import express from 'express'
import { problemOf } from './problem.ts'
import { checkRaw, splitTarget } from './raw-checks.ts'
import { createServe, type Matched, type ServeDeps } from './serve.ts'

export interface EdgeOptions extends ServeDeps {
  readonly host: string
  readonly port: number
  readonly routes: readonly Route[]
}

export interface Edge {
  start(): Promise<{ url: string }>
  /** Takes no new connections, lets running requests end within `drainMs`, then cuts them. */
  stop(drainMs?: number): Promise<void>
}

const headersTimeoutMs = 10_000
const requestTimeoutMs = 60_000
const maxRequestsPerSocket = 100_000
const maxConnections = 10_000

/**
 * Public HTTP. Routes marked hot are found by a map before express sees the request: the ingest path costs microseconds.
 * All go through the same steps (serve.ts).
 */
export function createEdge(o: EdgeOptions): Edge {
  const serve = createServe(o)
  const hot = new Map(o.routes.filter((route) => route.hot).map((route) => [`${route.method} ${route.path}`, route]))
  const app = createApp(o.routes, serve)
  const prefix = randomBytes(6).toString('base64url')
  let counter = 0

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const requestId = `${prefix}-${(counter++).toString(36)}`
    try {
      checkRaw(request)
      const { path, query } = splitTarget(request.url ?? '/')
      const route = hot.get(`${request.method} ${path}`)
      if (route) void serve(request, response, () => ({ route, params: {}, query }), requestId)
      else app(Object.assign(request, { requestId, target: query }), response)
    } catch (error) {
      void serve(request, response, () => fail(error), requestId)
    }
  }

  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
      noDelay: true,
    },
    listener,
  )
  server.maxRequestsPerSocket = maxRequestsPerSocket
  server.maxConnections = maxConnections
  server.on('clientError', refuseSocket)
  server.on('checkExpectation', (request, response) => {
    const refused = (): never => fail(new AppError('EXPECTATION_FAILED', 'Only 100-continue can be expected'))
    void serve(request, response, refused, `${prefix}-${(counter++).toString(36)}`)
  })
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= o.body.maxBytes) response.writeContinue()
    listener(request, response)
  })
  return { start: () => listen(server, o), stop: (drainMs = 10_000) => close(server, drainMs) }
}

type Serve = ReturnType<typeof createServe>
type Tagged = express.Request & { requestId: string; target: string }

function createApp(routes: readonly Route[], serve: Serve): express.Express {
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('strict routing').enable('case sensitive routing')
  const byPath = Map.groupBy(routes, (route) => route.path)
  for (const [path, group] of byPath) {
    const methods = group.map((route) => route.method)
    const allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
    app.all(path, (request, response) => {
      const { requestId, target } = request as Tagged
      const method = request.method === 'HEAD' ? 'GET' : request.method
      const match = (): Matched => {
        const route = group.find((one) => one.method === method)
        if (!route) throw new AppError('METHOD_NOT_ALLOWED', `Allowed here: ${allow}`, { details: { allow } })
        return { route, params: request.params as Record<string, string>, query: target }
      }
      void serve(request, response, match, requestId)
    })
  }
  app.use((request, response) => {
    const unknown = (): never => fail(new AppError('NOT_FOUND', 'There is nothing at this path'))
    void serve(request, response, unknown, (request as Tagged).requestId)
  })
  return app
}

function fail(error: unknown): never {
  throw error
}

const parserErrors: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

/** The bytes were not HTTP, or came too slowly: answer if that is still possible, and close. */
function refuseSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const code = parserErrors[error.code ?? ''] ?? 'REQUEST_INVALID'
  const problem = problemOf(
    new AppError(code, 'The request is not well-formed HTTP, or did not arrive in time'),
    '/',
    'none',
  )
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(problem.body)}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${problem.body}`, () => socket.destroy())
}

function listen(server: Server, { host, port }: EdgeOptions): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new AppError(
              'CONFIG_INVALID',
              `Port ${port} on ${host} is in use: set PORT to a free one, or 0 to pick one`,
            )
          : error,
      )
    })
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({ url: `http://${name}:${address.port}` })
    })
  })
}

async function close(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  const late = setTimeout(() => server.closeAllConnections(), drainMs)
  // A connection that falls idle now is of no more use.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  await closed
  clearTimeout(late)
  clearInterval(idle)
}
