import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'

/** What is known of one client connection. */
export class Connection {
  /** Requests that came on it so far. */
  requests = 0
  /** Requests that are not answered yet; answers leave in the order of the requests. */
  pending = 0
  /** The newest request: the one whose bytes the parser is at. */
  latest: Exchange | undefined
  /** No further request is looked at: the connection ends with an answer that is on its way. */
  ending = false

  /** @returns whether this is the last request that the connection may carry */
  opened(exchange: Exchange, limit: number): boolean {
    this.requests++
    this.pending++
    this.latest = exchange
    return this.requests >= limit
  }

  closed(): void {
    this.pending--
  }
}

/** The connections of one server, as long as they live. */
export class Connections {
  readonly #all = new WeakMap<Socket, Connection>()

  of(socket: Socket): Connection {
    let found = this.#all.get(socket)
    if (!found) {
      found = new Connection()
      this.#all.set(socket, found)
    }
    return found
  }
}

/** After this answer the connection is closed; must be called before its head is written. */
export function endAfter(response: ServerResponse, connection: Connection): void {
  connection.ending = true
  if (!response.headersSent) response.shouldKeepAlive = false
}
