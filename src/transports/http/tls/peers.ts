import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { AppError } from '@splitstream/kernel'
import { type Certificate, certificateOf } from './certificate.ts'

/**
 * Who is at the other end of each connection. The handshake has proven that the certificate is one of the CA; here is whether
 * it is for one of the names that may call, and whether it still holds on a connection that has stayed open.
 */
export class Peers {
  readonly #names: ReadonlySet<string>
  readonly #met = new WeakMap<Socket, Certificate>()

  /** @param names empty: whoever has a certificate of the CA may call */
  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => (name.includes('://') ? name : name.toLowerCase())))
  }

  /** A handshake is done, and its certificate is accepted. */
  met(socket: TLSSocket): void {
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
    if (certificate) this.#met.set(socket, certificateOf(certificate))
  }

  /** When what this connection's peer has shown ends, ms since the Unix epoch. */
  until(socket: Socket): number {
    return this.#met.get(socket)?.until ?? 0
  }

  /** Why the peer of this connection may not call; undefined when it may. */
  readonly refusal = (socket: Socket): AppError | undefined => {
    const peer = this.#met.get(socket)
    if (!peer) return new AppError('UNAUTHENTICATED', 'Internal calls need a certificate of the installation')
    if (this.#names.size === 0 || peer.names.some((name) => this.#names.has(name))) return undefined
    const names = peer.names.join(', ') || 'no name'
    return new AppError(
      'UNAUTHENTICATED',
      `The certificate is for ${names}, which INTERNAL_TLS_NAMES there does not list`,
    )
  }
}
