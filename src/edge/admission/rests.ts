import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Rests are this long at least and at most, ms. */
const [minRestMs, maxRestMs] = [20, 5_000]
/** Refusals shall not take more of the event loop's time. */
const targetShare = 0.03
/** Times a rest of 1 ms for each open connection. */
const maxFactor = 100

/**
 * A client that is refused and sends the next request at once, instead of waiting as it was told, would keep the process
 * busy with refusals. So a connection rests after a refusal: nothing is read from it for 1 ms for each connection that is
 * open, which makes about 1,000 refusals a second at most, however many clients there are, and for longer when refusals
 * take more than a small part of the time. What the client sends meanwhile waits in its own connection (TCP flow control). It is
 * never longer than Retry-After, so whoever heeds that never notices.
 *
 * Connections of a proxy carry requests of many clients, and do not rest.
 */
export class Rests {
  #open = 0
  #factor = 1
  /** Connections whose rest is over since this turn of the event loop. */
  readonly #woken = new Set<Socket>()

  /** Counts the connections of the server. */
  watch(server: Server): void {
    server.on('connection', (socket) => {
      this.#open++
      socket.once('close', () => this.#open--)
    })
  }

  /** How long connections rest at the moment, ms. */
  get ms(): number {
    return Math.min(maxRestMs, Math.max(minRestMs, this.#factor * this.#open))
  }

  /** @param share part of the time that refusals took of late; it falls as rests grow */
  adapt(share: number): void {
    const change = Math.min(2, Math.max(0.7, share / targetShare))
    this.#factor = Math.min(maxFactor, Math.max(1, this.#factor * change))
  }

  /** To be called before the refusal is sent. @param retryAfterMs what it says */
  after(request: IncomingMessage, response: ServerResponse, retryAfterMs: number): void {
    const { headers, socket } = request
    if (headers.via !== undefined || headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) return
    response.once('close', () => {
      // The body, if there is one, has to be out of the way first: it is thrown away by Node.
      const ms = Math.min(this.ms, retryAfterMs)
      if (request.complete) this.#rest(socket, ms)
      else request.once('end', () => this.#rest(socket, ms))
    })
  }

  /** True for a request that was sent while its connection rested: its client does not wait, and this one is stale. */
  interrupted(socket: Socket): boolean {
    return this.#woken.has(socket)
  }

  #rest(socket: Socket, ms: number): void {
    if (socket.destroyed) return
    socket.pause()
    setTimeout(() => {
      socket.resume()
      // What had come by now is read before this turn ends.
      this.#woken.add(socket)
      setImmediate(() => this.#woken.delete(socket))
    }, ms).unref()
  }
}
