import type { Socket } from 'node:net'

const lingerMs = 1_000

/**
 * Makes the close of a connection, whose client is still sending, readable for that client: our side is ended, what still
 * comes is thrown away for a moment, then the connection is cut. A plain close would answer the unread bytes with a reset,
 * and the reset makes the client's kernel throw away the answer that it had received.
 */
export function lingerOnClose(socket: Socket): void {
  // Node calls this when an answer with `Connection: close` was written.
  socket.destroySoon = () => {
    socket.end()
    socket.resume()
    const cut = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('end', () => socket.destroy())
    socket.once('close', () => clearTimeout(cut))
  }
}
