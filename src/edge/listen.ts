import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AppError } from '@splitstream/kernel'

/** @throws AppError CONFIG_INVALID when the port is taken or may not be used */
export function listen(server: Server, host: string, port: number): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const reason = reasons[error.code ?? '']
      reject(reason ? new AppError('CONFIG_INVALID', reason(host, port), { cause: error }) : error)
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      const address = server.address() as AddressInfo
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({ url: `http://${name}:${address.port}` })
    })
  })
}

const reasons: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) => `Port ${port} on ${host} is in use: set PORT to a free one, or 0 to pick one`,
  EACCES: (host, port) => `Port ${port} on ${host} may not be used: set PORT to one above 1023`,
  EADDRNOTAVAIL: (host) => `This machine has no address ${host}: set HOST to one that it has`,
  ENOTFOUND: (host) => `There is no host ${host}: set HOST to an address of this machine`,
}

/** Takes no new connections, lets running requests end within `drainMs`, then cuts them. */
export async function close(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return
  const closed = new Promise((resolve) => server.close(resolve))
  const late = setTimeout(() => server.closeAllConnections(), drainMs)
  // A connection that falls idle now is of no more use.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  await closed
  clearTimeout(late)
  clearInterval(idle)
}
