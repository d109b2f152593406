import { constants } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Clock, Logger } from '@splitstream/kernel'
import { type Address, close, listen } from '../../../edge/listen.ts'
import { contextOf } from './credentials.ts'
import type { Peers } from './peers.ts'
import type { CurrentCredentials } from './rotation.ts'

export interface TlsListenerOptions {
  readonly address: Address
  readonly credentials: CurrentCredentials
  readonly peers: Peers
  readonly handler: RequestListener
  readonly clock: Clock
  readonly logger: Logger
  /** How long a connection from before a change of the CA may go on with what it is at, ms; default 10,000. */
  readonly partingMs?: number
}

const handshakeTimeoutMs = 10_000
const maxConnections = 10_000
const warnEveryMs = 1_000

/*
 * Takes calls over mutual TLS, of peers with a certificate of the CA alone: all others fail at the handshake. Nothing of a session is
 * kept, so every connection begins with a whole handshake.
 *
 * When the CA changes, connections from before may be of peers that it no more covers: idle ones are closed, the others end
 * with their answer, and after a while they are cut.
 */
export class TlsListener {
  readonly #o: TlsListenerOptions
  readonly #server: Server
  readonly #open = new Set<TLSSocket>()
  #old: ReadonlySet<unknown> = new Set()
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor(o: TlsListenerOptions) {
    this.#o = o
    this.#server = createServer(
      {
        ...this.#context(),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: handshakeTimeoutMs,
        maxHeaderSize: 16 * 1024,
        headersTimeout: 10_000,
        requestTimeout: 45_000,
        // Longer than callers keep an idle connection, so that no call runs into its close.
        keepAliveTimeout: 65_000,
        noDelay: true,
      },
      (request, response) => {
        const { socket } = request
        if (this.#old.has(socket) || o.clock.now() >= o.peers.until(socket)) response.shouldKeepAlive = false
        o.handler(request, response)
      },
    )
    this.#server.maxConnections = maxConnections
    this.#server.prependListener('secureConnection', (socket) => this.#greet(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#refused(error, socket))
    o.credentials.onChange(({ trust }) => this.#renew(trust))
  }

  /** @throws AppError CONFIG_INVALID when it cannot listen there */
  start(): Promise<{ url: string }> {
    return listen(this.#server, { ...this.#o.address, setting: 'INTERNAL_PORT', scheme: 'https' })
  }

  /** Takes no new connections, lets running requests end within `drainMs`, then cuts them. */
  stop(drainMs = 10_000): Promise<void> {
    return close(this.#server, drainMs)
  }

  #context() {
    return { ...contextOf(this.#o.credentials.current), secureOptions: constants.SSL_OP_NO_TICKET }
  }

  #greet(socket: TLSSocket): void {
    this.#o.peers.met(socket)
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
  }

  #renew(trust: boolean): void {
    this.#server.setSecureContext(this.#context())
    if (!trust) return
    const old = new Set(this.#open)
    this.#old = old
    this.#server.closeIdleConnections()
    const cut = setTimeout(() => {
      for (const socket of old) socket.destroy()
    }, this.#o.partingMs ?? 10_000)
    cut.unref()
  }

  /** A caller that is misconfigured tries every second: its operator has to find the reason, and the log is not to be filled. */
  #refused(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const { clock, logger } = this.#o
    const reason = String(socket.authorizationError ?? error.code ?? error.message)
    // Somebody who looks whether the port is open, as balancers do.
    if (reason === 'ECONNRESET') return logger.debug('a connection ended before its handshake did')
    if (clock.monotonic() - this.#warnedAt < warnEveryMs) return
    this.#warnedAt = clock.monotonic()
    logger.warn('a caller was refused at the TLS handshake', { address: socket.remoteAddress, reason })
  }
}
