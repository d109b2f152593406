import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** pass · refuse: a new connection is broken at once, and old ones with it · hang: bytes go no further, in either direction. */
type Mode = 'pass' | 'refuse' | 'hang'

/** A TCP proxy before one server, whose line can be cut. */
export interface CutProxy {
  readonly url: string
  /** Connections that came. */
  readonly connections: number
  set(mode: Mode): void
  stop(): Promise<void>
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<readonly [Socket, Socket]>()
  let mode: Mode = 'pass'
  let connections = 0
  const server = createServer((near) => {
    connections++
    near.on('error', () => undefined)
    if (mode === 'refuse') return void near.resetAndDestroy()
    const far = connect(Number(port), hostname).on('error', () => near.destroy())
    const pair = [near, far] as const
    pairs.add(pair)
    const forward = (from: Socket, to: Socket): void => {
      from.on('data', (bytes) => {
        if (mode === 'pass') to.write(bytes)
      })
      from.on('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
    }
    forward(near, far)
    forward(far, near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections
    },
    set: (next) => {
      mode = next
      if (next === 'refuse') for (const [near, far] of pairs) for (const socket of [near, far]) socket.resetAndDestroy()
    },
    stop: async () => {
      for (const [near, far] of pairs) for (const socket of [near, far]) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
