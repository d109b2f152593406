import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'

/** A real HTTP server that takes events as Splitstream does, for tests of the client; it can be told to misbehave. */
export interface Receiver {
  readonly url: string
  /** Every event acknowledged, in the order of arrival. */
  readonly events: Record<string, unknown>[]
  /** Requests that carried events, whatever came of them. */
  requests(): number
  close(): Promise<void>
}

/** What to do with the nth request (from 0): answer a status, or cut the connection before or after taking the events. */
export type Fault = { status: number; retryAfter?: string } | 'cut-before' | 'cut-after' | undefined

export async function startReceiver(fault: (n: number) => Fault = () => undefined): Promise<Receiver> {
  const events: Record<string, unknown>[] = []
  let requests = 0
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') return void response.end('{"events":[],"next":null,"position":"p1"}')
    const misbehave = fault(requests++)
    const zipped = request.headers['content-encoding'] === 'gzip'
    const lines = (await text(zipped ? request.pipe(createGunzip()) : request))
      .split('\n')
      .filter((line) => line !== '')
    if (misbehave === 'cut-before') return void request.socket.destroy()
    if (typeof misbehave === 'object') {
      const after = misbehave.retryAfter === undefined ? {} : { 'retry-after': misbehave.retryAfter }
      response.writeHead(misbehave.status, { 'content-type': 'application/problem+json', ...after })
      return void response.end('{"code":"OVERLOADED","title":"The service is overloaded"}')
    }
    const errors: object[] = []
    for (const [index, line] of lines.entries()) {
      const event = JSON.parse(line) as Record<string, unknown>
      if (event.subject === 'bad') errors.push({ index, code: 'EVENT_INVALID', detail: 'a bad subject' })
      else events.push(event)
    }
    if (misbehave === 'cut-after') return void request.socket.destroy()
    const position = `p1-0.${events.length.toString(36)}`
    response.writeHead(202, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ accepted: lines.length - errors.length, rejected: errors.length, position, errors }))
  }
  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) =>
      request.socket.destroy(error instanceof Error ? error : undefined),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    events,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
