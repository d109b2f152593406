import { addAbortSignal, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RouteResponse } from '@splitstream/kernel'
import { gzip, wantsGzip, worthCompressing } from './compress.ts'
import type { Exchange } from './exchange.ts'
import { isLive } from './live.ts'

/**
 * Writes the answer: bytes and JSON in one piece, streams with backpressure, large ones compressed when the client takes
 * that. Resolves when everything is handed to the connection. @throws when the stream fails or the client leaves.
 */
export async function respond(exchange: Exchange, answer: RouteResponse): Promise<void> {
  const { bytes } = answer
  if (bytes instanceof Uint8Array) return whole(exchange, answer, bytes, undefined)
  if (bytes) return await streamed(exchange, answer, bytes)
  if (answer.json === undefined) return whole(exchange, answer, undefined, undefined)
  return whole(exchange, answer, Buffer.from(JSON.stringify(answer.json)), 'application/json')
}

type Headers = (string | number)[]

function headersFor(exchange: Exchange, answer: RouteResponse): Headers {
  const headers: Headers = ['X-Content-Type-Options', 'nosniff', 'Request-Id', exchange.id]
  for (const name in answer.headers) headers.push(name, answer.headers[name]!)
  const { rateLimit } = exchange
  if (rateLimit) headers.push('RateLimit-Policy', rateLimit.policy, 'RateLimit', rateLimit.limit)
  return headers
}

function contentTypeOf(answer: RouteResponse): string | undefined {
  for (const name in answer.headers) if (name.toLowerCase() === 'content-type') return answer.headers[name]
  return undefined
}

function whole(
  exchange: Exchange,
  answer: RouteResponse,
  body: Uint8Array | undefined,
  type: string | undefined,
): void | Promise<void> {
  const { response } = exchange
  if (body && body.length >= worthCompressing) {
    const contentType = contentTypeOf(answer) ?? type
    const typed = { ...answer, headers: { ...answer.headers, ...(contentType && { 'content-type': contentType }) } }
    if (wantsGzip(exchange.request, contentType)) return streamed(exchange, typed, [body])
  }
  const headers = headersFor(exchange, answer)
  if (type !== undefined && contentTypeOf(answer) === undefined) headers.push('Content-Type', type)
  if (answer.status !== 204 && answer.status !== 304) headers.push('Content-Length', body?.length ?? 0)
  response.writeHead(answer.status, headers)
  if (body && body.length > pieceBytes && exchange.request.method !== 'HEAD') {
    return pipeline(Readable.from(piecesOf(body), { objectMode: false }), response)
  }
  response.end(body)
}

/** Only between two writes can it be seen that a slow client takes some of its answer (Exchange.answering). */
const pieceBytes = 64 << 10

function* piecesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
}

async function streamed(
  exchange: Exchange,
  answer: RouteResponse,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const { request, response } = exchange
  const compress = wantsGzip(request, contentTypeOf(answer))
  const headers = headersFor(exchange, answer)
  if (compress) headers.push('Content-Encoding', 'gzip')
  headers.push('Vary', 'Accept-Encoding')
  const source = addAbortSignal(exchange.abort.signal, Readable.from(bytes, { objectMode: false }))
  if (request.method === 'HEAD') {
    source.destroy()
    response.writeHead(answer.status, headers)
    response.end()
    return
  }
  // The first bytes decide whether the answer is an answer or a problem; a live stream may have none for long.
  if (!isLive(answer)) await firstBytes(source)
  response.writeHead(answer.status, headers)
  await (compress ? pipeline(source, gzip(), response) : pipeline(source, response))
}

/** Resolves when there is something to read, or nothing at all. @throws what the source failed with before that */
function firstBytes(source: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    source.once('error', reject)
    source.once('end', resolve)
    source.once('readable', () => {
      source.off('error', reject)
      resolve()
    })
  })
}
