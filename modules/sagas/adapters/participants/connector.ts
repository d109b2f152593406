import { isIP, type LookupFunction } from 'node:net'
import type { Logger } from '@splitstream/kernel'
import { buildConnector } from 'undici'
import { type Egress, endpointOf } from './egress.ts'
import type { Lookup } from './lookup.ts'

export interface ConnectorOptions {
  readonly egress: Egress
  readonly lookup: Lookup
  /** ms, with the resolution of the name and TLS. */
  readonly timeoutMs: number
  readonly logger: Logger
}

/**
 * Makes the connections to one origin. All addresses of the host must be permitted, or none is connected to. The socket gets
 * the very addresses that were looked at, so an answer that changes between check and use changes nothing; once connected,
 * the address on the other side is looked at again. TLS and Host go by the name.
 */
export function guardedConnector(origin: URL, options: ConnectorOptions): buildConnector.connector {
  const { egress, lookup, timeoutMs, logger } = options
  const endpoint = endpointOf(origin)
  const permitted = (address = 'nowhere'): boolean => {
    const yes = egress.permits(endpoint, address)
    // Where a name leads is not told to users.
    if (!yes) logger.debug('an address of a participant is not permitted', { host: endpoint.host, address })
    return yes
  }

  const lookupPermitted: LookupFunction = (host, { all }, done) => {
    const pass = async (): Promise<void> => {
      const addresses = [...(await lookup(host))]
      const first = addresses[0]
      if (!first || !addresses.every(({ address }) => permitted(address))) throw egress.refusal(endpoint)
      if (all) done(null, addresses)
      else done(null, first.address, first.family)
    }
    pass().catch((error: Error) => done(error, []))
  }
  // Without allowH2 an answer is to the one request on its connection, and nothing is ever sent twice.
  const connect = buildConnector({ allowH2: false, timeout: timeoutMs, lookup: lookupPermitted })

  return (target, done) => {
    // An address is not looked up.
    if (isIP(endpoint.host) !== 0 && !permitted(endpoint.host)) {
      process.nextTick(done, egress.refusal(endpoint), null)
      return
    }
    return connect(target, (...[error, socket]) => {
      if (error) return done(error, null)
      if (permitted(socket.remoteAddress)) return done(null, socket)
      socket.destroy()
      done(egress.refusal(endpoint), null)
    })
  }
}
