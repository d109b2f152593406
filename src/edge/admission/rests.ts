import type { IncomingMessage, Server, ServerResponse } from 'node:http'

/** Rests are this long at least and at most, ms. */
const [minRestMs, maxRestMs] = [10, 2_000]

/**
 * A client that is refused and sends the next request at once, instead of waiting as it was told, would keep the process
 * busy with refusals. So a connection rests after a refusal: nothing is read from it for 1 ms for each connection that is
 * open, which makes about 1,000 refusals a second at most, however many clients there are; what the client sends meanwhile
 * waits in its own connection (TCP flow control). Whoever heeds Retry-After, which is longer, never notices.
 *
 * Connections of a proxy carry requests of many clients, and do not rest.
 */
export class Rests {
  #open = 0

  /** Counts the connections of the server. */
  watch(server: Server): void {
    server.on('connection', (socket) => {
      this.#open++
      socket.once('close', () => this.#open--)
    })
  }

  /** To be called before the refusal is sent. */
  after(request: IncomingMessage, response: ServerResponse): void {
    const { headers, socket } = request
    if (headers.via !== undefined || headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) return
    response.once('close', () => {
      // The body, if there is one, has to be out of the way first: it is thrown away by Node.
      if (request.complete) this.#rest(socket)
      else request.once('end', () => this.#rest(socket))
    })
  }

  #rest(socket: IncomingMessage['socket']): void {
    if (socket.destroyed) return
    socket.pause()
    const ms = Math.min(maxRestMs, Math.max(minRestMs, this.#open))
    setTimeout(() => socket.resume(), ms).unref()
  }
}
