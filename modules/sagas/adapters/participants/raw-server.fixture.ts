import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** What a server does with the connection once a whole request is there. */
export type Behaviour = (socket: Socket, request: string) => void

export interface RawServer {
  readonly url: string
  readonly port: number
  /** Whole requests, as they came, in order. */
  readonly requests: string[]
  /** Connections that were accepted. */
  connections(): number
  close(): Promise<void>
}

/** A TCP server that answers with the bytes that the test gives, and knows nothing of HTTP but where a request ends. */
export async function rawServer(behave: Behaviour, host = '127.0.0.1', port = 0): Promise<RawServer> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let end = endOf(text); end !== undefined; end = endOf(text)) {
        const request = text.slice(0, end)
        text = text.slice(end)
        requests.push(request)
        behave(socket, request)
      }
    })
  })
  await listen(server, host, port)
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    requests,
    connections: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}

/** Where the first request ends; undefined when it is not whole. */
function endOf(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0)
  return text.length >= head + 4 + length ? head + 4 + length : undefined
}

/** Of a request as it came: names in lower case. */
export function headersOf(request: string): Record<string, string> {
  const [head = ''] = request.split('\r\n\r\n')
  const lines = head.split('\r\n').slice(1)
  return Object.fromEntries(lines.map((line) => [line.split(':')[0]!.toLowerCase(), line.slice(line.indexOf(':') + 2)]))
}

/** An answer as it stands on the wire, with its length. */
export const answer = (status: string, body = '', headers = 'content-type: application/json\r\n'): string =>
  `HTTP/1.1 ${status}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
