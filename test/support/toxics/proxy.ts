import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Random } from '../../chaos/random.ts'
import { Pipe } from './pipe.ts'
import { type Ailment, ailmentOf, type Toxic, well } from './toxic.ts'

export type { Toxic } from './toxic.ts'

/** `up`: what the client says. `down`: what it hears. */
export type Direction = 'up' | 'down'

export interface ToxicProxyOptions {
  /** Where it leads: a URL, of which host and port count. */
  readonly target: string
  /** The same seed draws the same slices, jitter and shares, connection by connection. */
  readonly seed?: number
}

/** A TCP proxy whose network is as bad as a test wants it, also for connections that are open. */
export interface ToxicProxy extends AsyncDisposable {
  /** The target's URL, with the address of the proxy. */
  readonly url: string
  readonly port: number
  /** Open now. */
  readonly connections: number
  /** All that were ever made. */
  readonly accepted: number
  /** Bytes that got through, over all connections. */
  readonly bytes: Readonly<Record<Direction, number>>
  /** Replaces the toxics of one direction. None: all is well again. */
  set(direction: Direction, ...toxics: Toxic[]): void
  /** Takes the toxics of both directions away. */
  heal(): void
  /** Resets all connections, and refuses new ones until `open`. */
  shut(): void
  open(): void
  stop(): Promise<void>
}

export async function startToxicProxy({ target, seed = 1 }: ToxicProxyOptions): Promise<ToxicProxy> {
  const { hostname, port } = new URL(target)
  const random = new Random(seed)
  const links = new Set<Link>()
  const ailments: Record<Direction, Ailment> = { up: well, down: well }
  const gone: Record<Direction, number> = { up: 0, down: 0 }
  let accepted = 0
  let shut = false
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (shut) return void client.resetAndDestroy()
    accepted++
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true, noDelay: true })
    const link = new Link(client, upstream, random.fork())
    links.add(link)
    link.set(ailments)
    void link.closed.then(() => {
      links.delete(link)
      for (const direction of directions) gone[direction] += link.pipes[direction].bytes
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  const url = new URL(target)
  url.host = `127.0.0.1:${own}`
  const set = (direction: Direction, ...toxics: Toxic[]): void => {
    ailments[direction] = ailmentOf(toxics)
    for (const link of links) link.pipes[direction].set(ailments[direction])
  }
  const sum = (direction: Direction): number =>
    [...links].reduce((total, { pipes }) => total + pipes[direction].bytes, gone[direction])
  const cutAll = (): void => {
    for (const link of links) link.cut('reset')
  }
  const stop = async (): Promise<void> => {
    cutAll()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return {
    url: url.href.replace(/\/$/, target.endsWith('/') ? '/' : ''),
    port: own,
    get connections() {
      return links.size
    },
    get accepted() {
      return accepted
    },
    get bytes() {
      return { up: sum('up'), down: sum('down') }
    },
    set,
    heal: () => {
      for (const direction of directions) set(direction)
    },
    shut: () => {
      shut = true
      cutAll()
    },
    open: () => {
      shut = false
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const directions: readonly Direction[] = ['up', 'down']

/** One connection: both ends and both directions. */
class Link {
  readonly pipes: Readonly<Record<Direction, Pipe>>
  readonly closed: Promise<unknown>
  readonly #ends: readonly Socket[]

  constructor(client: Socket, upstream: Socket, random: Random) {
    this.#ends = [client, upstream]
    const cut = this.cut.bind(this)
    this.pipes = {
      up: new Pipe(client, upstream, random.fork(), cut),
      down: new Pipe(upstream, client, random.fork(), cut),
    }
    this.closed = Promise.all(this.#ends.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    for (const socket of this.#ends) {
      // What one end suffers the other one hears of; an end that was said in order comes through the pipe, behind the bytes.
      socket.on('error', () => cut('reset')).on('close', () => socket.readableEnded || cut('close'))
    }
  }

  set(ailments: Readonly<Record<Direction, Ailment>>): void {
    for (const direction of directions) this.pipes[direction].set(ailments[direction])
  }

  cut(how: 'close' | 'reset'): void {
    for (const socket of this.#ends) {
      if (socket.destroyed) continue
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroySoon()
    }
  }
}
