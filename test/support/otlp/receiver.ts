import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { type ReceivedPoint, type ReceivedSpan, readPoints, readSpans } from './read.ts'

export type { Attributes, ReceivedPoint, ReceivedSpan } from './read.ts'

/** A collector that takes nothing that is not exactly as OTLP over HTTP has it, and remembers what it took. */
export interface OtlpReceiver extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** Of all deliveries, the newest last. */
  readonly points: readonly ReceivedPoint[]
  /** Bodies as they came, decompressed. */
  readonly bodies: readonly Buffer[]
  /** Headers of each delivery. */
  readonly headers: readonly NodeJS.Dict<string | string[]>[]
  /** What was not as it has to be; a test fails when there is any. */
  readonly problems: readonly string[]
  /** From now on every delivery is answered with this status; 200 takes again. */
  answer(status: number): void
  /** Waits until the spans are as wanted. @throws Error with their names after `ms` */
  until(wanted: (spans: readonly ReceivedSpan[]) => boolean, ms?: number): Promise<void>
  stop(): Promise<void>
}

export async function startReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const points: ReceivedPoint[] = []
  const bodies: Buffer[] = []
  const headers: NodeJS.Dict<string | string[]>[] = []
  const problems: string[] = []
  const ids = new Set<string>()
  let status = 200

  const take = (path: string, body: Buffer): void => {
    if (path === '/v1/metrics') return void points.push(...readPoints(body))
    if (path !== '/v1/traces') throw new Error(`nothing is taken at ${path}`)
    for (const span of readSpans(body)) {
      const id = `${span.traceId}-${span.spanId}`
      if (ids.has(id)) throw new Error(`${span.name}: sent twice`)
      ids.add(id)
      spans.push(span)
    }
  }

  const server = createServer(async (request, response) => {
    const sent = await buffer(request)
    if (status !== 200) return void response.writeHead(status).end()
    try {
      if (request.method !== 'POST') throw new Error(request.method)
      const type = request.headers['content-type']
      if (type !== 'application/x-protobuf') throw new Error(`Content-Type ${type}`)
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
      take(request.url ?? '', body)
      bodies.push(body)
      headers.push(request.headers)
      // An empty message: nothing was refused.
      response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end()
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
      response.writeHead(400).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    points,
    bodies,
    headers,
    problems,
    answer: (next) => {
      status = next
    },
    until: async (wanted, ms = 20_000) => {
      for (const end = performance.now() + ms; !wanted(spans); await delay(50)) {
        if (performance.now() > end) throw new Error(`other spans: ${spans.map(({ name }) => name).join(', ')}`)
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
