import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Order, Outcome } from '../order.ts'

/**
 * The HTTP front that a team puts before an engine that has none: POST with an Idempotency-Key, answered when the saga
 * has ended. Resolves with its URL.
 */
export async function listen(run: (saga: string, order: Order) => Promise<Outcome>): Promise<string> {
  const handle = async (request: IncomingMessage): Promise<string> => {
    const saga = String(request.headers['idempotency-key'])
    return JSON.stringify({ id: saga, status: await run(saga, JSON.parse(await text(request)) as Order) })
  }
  const server = createServer((request, response) => {
    const answer = (status: number, body: string): void =>
      void response
        .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
        .end(body)
    handle(request).then(
      (body) => answer(200, body),
      (error: unknown) => answer(500, JSON.stringify({ error: String(error) })),
    )
  })
  server.keepAliveTimeout = 300_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
