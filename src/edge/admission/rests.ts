import type { IncomingMessage, Server, ServerResponse } from 'node:http'

/** A rest is this long for each open connection, and this long at least and at most, ms. */
const [msForEach, minRestMs, maxRestMs] = [1, 20, 5_000]

/**
 * A client that is refused and sends the next request at once, instead of waiting as it was told, would keep the process
 * busy with refusals. So a connection rests after a refusal: nothing is read from it for 1 ms for each connection that is
 * open, which makes about 1,000 refusals a second at most, however many clients there are; what the client sends meanwhile
 * waits in its own connection (TCP flow control). It is never longer than Retry-After, so whoever heeds that never notices.
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

  /** How long connections rest at the moment, ms. */
  get ms(): number {
    return Math.min(maxRestMs, Math.max(minRestMs, msForEach * this.#open))
  }

  /** To be called before the refusal is sent. @param retryAfterMs what it says */
  after(request: IncomingMessage, response: ServerResponse, retryAfterMs: number): void {
    const { headers, socket } = request
    if (headers.via !== undefined || headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined) return
    response.once('close', () => {
      // The body, if there is one, has to be out of the way first: it is thrown away by Node.
      const ms = Math.min(this.ms, retryAfterMs)
      if (request.complete) rest(socket, ms)
      else request.once('end', () => rest(socket, ms))
    })
  }
}

function rest(socket: IncomingMessage['socket'], ms: number): void {
  if (socket.destroyed) return
  socket.pause()
  setTimeout(() => socket.resume(), ms).unref()
}
