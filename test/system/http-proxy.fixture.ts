import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request on its way to the server; its URL may be changed. */
export interface Passing {
  readonly url: URL
  readonly body: Buffer
}

/** How an answer goes back to the client; `cut`: the request goes nowhere, and its connection is cut. */
export type Return = 'whole' | 'cut' | ((answer: IncomingMessage, outgoing: ServerResponse) => void)

export interface HttpProxy {
  readonly origin: string
  stop(): Promise<void>
}

/**
 * A proxy before an HTTP server, the interface of ClickHouse mostly, that sees requests whole: what becomes of each is for `pass` to say,
 * which may take its time.
 */
export async function startHttpProxy(
  target: string,
  pass: (passing: Passing) => Return | Promise<Return>,
): Promise<HttpProxy> {
  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await incoming.toArray())
    const url = new URL(incoming.url ?? '/', target)
    const goesBack = await pass({ url, body })
    if (goesBack === 'cut') return void outgoing.destroy()
    const { 'transfer-encoding': _, ...rest } = incoming.headers
    const headers = { ...rest, 'content-length': body.length }
    const upstream = request(url, { method: incoming.method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      if (goesBack === 'whole') answer.pipe(outgoing)
      else goesBack(answer, outgoing)
    })
    upstream.on('error', () => outgoing.destroy())
    outgoing.on('close', () => upstream.destroy())
    upstream.end(body)
  }
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
