import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to Postgres for a process that freezes: what it had sent gets through, and nothing of what would come then. */
export interface FreezingGate {
  /** Of the server, through the gate. */
  readonly url: string
  readonly isFrozen: boolean
  /** Lets so many more messages through. */
  freezeAfter(messages: number): void
  /** Lets everything through up to the message that holds this text. */
  freezeBefore(text: string): void
  /** Cuts all connections: who waits for an answer learns that there is none. */
  stop(): Promise<void>
}

export async function startFreezingGate(target: string): Promise<FreezingGate> {
  let left = Number.POSITIVE_INFINITY
  let last: string | undefined
  const sockets = new Set<Socket>()
  const { hostname, port } = new URL(target)
  const server = createServer((socket) => {
    const upstream = connect(Number(port), hostname)
    socket.on('data', (chunk) => {
      if (last !== undefined && chunk.includes(last)) left = 0
      if (left-- > 0) upstream.write(chunk)
    })
    upstream.on('data', (chunk) => socket.write(chunk))
    for (const end of [socket, upstream]) {
      sockets.add(end)
      end.on('error', () => undefined)
    }
    socket.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(target)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    get isFrozen() {
      return left < 0
    },
    freezeAfter: (messages) => {
      left = messages
    },
    freezeBefore: (text) => {
      last = text
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
