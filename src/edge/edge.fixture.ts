import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, catalogue, type ErrorCode, type Route, silentLogger, systemClock } from '@splitstream/kernel'
import { z } from 'zod'
import { createMetrics } from '../telemetry/metrics.ts'
import { createEdge, type EdgeOptions } from './edge.ts'
import { KeyTable } from './keys/key-table.ts'
import { hashOf, makeId, makeSecret } from './keys/secret.ts'
import { parseBody } from './parse-body.ts'

/** Keys that the edge of the tests knows, by what they are good for. */
export const keys = {
  all: makeSecret('key', makeId()),
  ingestOnly: makeSecret('key', makeId()),
  expired: makeSecret('key', makeId()),
  unknown: makeSecret('key', makeId()),
  chosen: 'a-key-that-somebody-chose-0123456789abcdef',
}

const known = (key: string, scopes: string[], until = Number.POSITIVE_INFINITY) => ({
  hash: hashOf(key),
  principal: { id: key.slice(0, 8), tenant: 'acme', scopes: new Set(scopes), operator: false },
  until,
})

const table = new KeyTable([
  known(keys.all, ['ingest', 'query', 'admin']),
  known(keys.chosen, ['query']),
  known(keys.ingestOnly, ['ingest']),
  known(keys.expired, ['ingest', 'query', 'admin'], Date.now() - 1000),
])

/** What the handlers saw, for tests that look. */
export const seen = { events: 0, aborted: 0, streamEnded: 0 }

const item = z.strictObject({ name: z.string(), count: z.number().optional() })

export const routes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/events',
    scope: 'ingest',
    summary: 'hot lane: the length of the body',
    query: ['mode'],
    accepts: ['*/*'],
    hot: true,
    handle: async ({ body, mediaType, query }, call) => {
      seen.events++
      return { status: 202, json: { length: body.length, mediaType, query, tenant: call.tenant } }
    },
  },
  {
    method: 'POST',
    path: '/v1/items',
    scope: 'ingest',
    summary: 'express lane: JSON of a form',
    query: ['mode'],
    accepts: ['application/json'],
    handle: async ({ body }) => ({ status: 200, json: parseBody(item, body) }),
  },
  {
    method: 'GET',
    path: '/v1/items/:id',
    scope: 'query',
    summary: 'express lane: what it was asked',
    query: ['limit'],
    handle: async ({ params, query }, call) => {
      const { traceparent, idempotencyKey } = call
      return { status: 200, json: { params, query, traceparent, idempotencyKey } }
    },
  },
  {
    method: 'GET',
    path: '/v1/fail/:code',
    scope: 'query',
    summary: 'fails as it is told',
    handle: async ({ params: { code = '' } }) => {
      if (!Object.hasOwn(catalogue, code)) throw new TypeError(`SELECT secret FROM /etc/passwd: ${code}`)
      throw new AppError(code as ErrorCode, 'As asked', { retryAfterMs: 2_500 })
    },
  },
  {
    method: 'GET',
    path: '/v1/hang',
    scope: 'query',
    summary: 'never answers, and sees when its caller leaves',
    budgetMs: 300,
    handle: async (_, call) => {
      call.signal.addEventListener('abort', () => seen.aborted++)
      return await new Promise(() => {})
    },
  },
  {
    method: 'GET',
    path: '/v1/big',
    scope: 'query',
    summary: 'a JSON answer that no buffer on the way holds',
    handle: async () => ({ status: 200, json: { rows: Array.from({ length: 1_000 }, () => 'x'.repeat(10_000)) } }),
  },
  {
    method: 'GET',
    path: '/v1/stream',
    scope: 'query',
    summary: 'NDJSON without end, as long as somebody reads',
    produces: ['application/x-ndjson'],
    query: ['lines', 'fail'],
    handle: async ({ query }) => ({
      status: 200,
      headers: { 'content-type': 'application/x-ndjson' },
      bytes: lines(Number(query.lines ?? 1e9), query.fail),
    }),
  },
]

async function* lines(count: number, fail: string | undefined): AsyncGenerator<Uint8Array> {
  try {
    if (fail === 'first') throw new AppError('UNAVAILABLE', 'The engine is away', { retryAfterMs: 4_000 })
    for (let i = 0; i < count; i++) {
      yield Buffer.from(`{"line":${i},"fill":"${'x'.repeat(1000)}"}\n`)
      if (fail === 'later' && i === 3) throw new Error('the engine fell over')
    }
  } finally {
    seen.streamEnded++
  }
}

export interface TestEdge {
  readonly url: string
  readonly port: number
  drain(ms: number): Promise<void>
  stop(drainMs?: number): Promise<void>
}

export async function startEdge(options: Partial<EdgeOptions> = {}): Promise<TestEdge> {
  const edge = createEdge({
    host: '127.0.0.1',
    port: 0,
    routes,
    keys: { authenticate: (key) => table.find(key, Date.now()) },
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(),
    health: () => ({ log: { state: 'ok' } }),
    ...options,
    limits: { maxBodyBytes: 1 << 20, ...options.limits },
  })
  const { url } = await edge.start()
  const { port } = new URL(url)
  return { url, port: Number(port), drain: (ms) => edge.drain(ms), stop: (drainMs = 500) => edge.stop(drainMs) }
}

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The server ended the connection by itself. */
  readonly closed: boolean
  /** All that came, for tests about several answers. */
  readonly raw: string
  /** Until the first answer was there, ms. */
  readonly ms: number
}

/** Sends bytes as they are, and reads until the connection ends, or for `waitMs` after the first whole answer. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer | ((socket: Socket) => Promise<void>),
  waitMs = 300,
): Promise<Answer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  const from = performance.now()
  let answeredAt = 0
  const closed = new Promise<true>((resolve) =>
    socket.once('end', () => resolve(true)).once('close', () => resolve(true)),
  )
  // A reset while we still send is part of some cases; what was received before it counts.
  socket.on('error', () => {})
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (answeredAt === 0 && isWhole(Buffer.concat(chunks).toString('latin1'))) {
        answeredAt = performance.now()
        resolve()
      }
    })
  })
  if (typeof bytes === 'function') await bytes(socket)
  else socket.write(bytes)
  await Promise.race([answered, closed, delay(15_000)])
  const isClosed = await Promise.race([closed, delay(waitMs).then(() => false)])
  socket.destroy()
  const raw = Buffer.concat(chunks).toString('latin1')
  return { ...parse(raw), closed: isClosed, raw, ms: answeredAt - from }
}

function isWhole(raw: string): boolean {
  const { status, headers, body } = parse(raw)
  if (status === 0 || status === 100) return false
  return headers['transfer-encoding']
    ? body.endsWith('0\r\n\r\n')
    : body.length >= Number(headers['content-length'] ?? 0)
}

function parse(all: string): Pick<Answer, 'status' | 'headers' | 'body'> {
  const raw = all.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const end = raw.indexOf('\r\n\r\n')
  if (end < 0) return { status: 0, headers: {}, body: '' }
  const [first = '', ...rest] = raw.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of rest)
    headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 1).trim()
  return { status: Number(first.split(' ')[1]), headers, body: raw.slice(end + 4) }
}

export interface Shape {
  readonly method?: string
  readonly target?: string
  readonly key?: string | null
  readonly host?: string | null
  /** More header lines, as they are. */
  readonly lines?: readonly string[]
  readonly body?: string | Buffer
  /** Content-Length; default: that of the body. */
  readonly length?: number | string
}

/** The bytes of a request that is right but for what `shape` says. */
export function requestBytes(shape: Shape = {}): Buffer {
  const { method = 'POST', target = '/v1/events', key = keys.all, host = 'localhost', lines: more = [], body } = shape
  const head = [`${method} ${target} HTTP/1.1`]
  if (host !== null) head.push(`Host: ${host}`)
  if (key !== null) head.push(`Authorization: Bearer ${key}`)
  head.push(...more)
  if (body !== undefined || shape.length !== undefined) {
    if (!more.some((line) => /^transfer-encoding/i.test(line)))
      head.push(`Content-Length: ${shape.length ?? Buffer.byteLength(body ?? '')}`)
  }
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body ?? '')])
}
