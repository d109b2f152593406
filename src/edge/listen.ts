import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { type AddressInfo, Server as NetServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@splitstream/kernel'

type Server = HttpServer | HttpsServer

export interface Address {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Other processes may listen there too: the system spreads new connections over all. */
  readonly shared?: boolean | undefined
  /** The setting of the port, for messages; default PORT. */
  readonly setting?: string
  /** Of the URL; default http. */
  readonly scheme?: 'http' | 'https'
}

/** @throws AppError CONFIG_INVALID when the port is taken or may not be used */
export function listen(server: Server, address: Address): Promise<{ url: string }> {
  const { host, port, shared = false, scheme = 'http' } = address
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const reason = reasons[error.code ?? '']
      reject(reason ? new AppError('CONFIG_INVALID', reason(address), { cause: error }) : error)
    }
    server.once('error', failed)
    server.listen({ port, host, reusePort: shared }, () => {
      server.off('error', failed)
      const address = server.address() as AddressInfo
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({ url: `${scheme}://${name}:${address.port}` })
    })
  })
}

const reasons: Readonly<Record<string, (address: Address) => string>> = {
  EADDRINUSE: ({ host, port, shared, setting = 'PORT' }) =>
    shared
      ? `Port ${port} on ${host} is in use by a process that does not share it: start that one with SHARE_PORT=true, too`
      : `Port ${port} on ${host} is in use: set ${setting} to a free one, or 0 to pick one`,
  EACCES: ({ host, port, setting = 'PORT' }) =>
    `Port ${port} on ${host} may not be used: set ${setting} to one above 1023`,
  EADDRNOTAVAIL: ({ host }) => `This machine has no address ${host}: set HOST to one that it has`,
  ENOTFOUND: ({ host }) => `There is no host ${host}: set HOST to an address of this machine`,
  ENOTSUP: () => 'Ports cannot be shared on this system: unset SHARE_PORT',
}

/** Takes no new connections. Those that are there stay, also idle ones, which node:http would end. */
export function stopListening(server: Server): void {
  if (server.listening) NetServer.prototype.close.call(server)
}

/** Takes no new connections, lets running requests end within `drainMs`, then cuts them. */
export async function close(server: Server, drainMs: number): Promise<void> {
  server.close()
  const late = setTimeout(() => server.closeAllConnections(), drainMs)
  while ((await connectionsOf(server)) > 0) {
    await delay(10)
    // A connection that falls idle now is of no more use.
    server.closeIdleConnections()
  }
  clearTimeout(late)
}

export function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count ?? 0)))
}
