import { isGlobal, isInternal } from './addresses.ts'
import { parseAllowList } from './allow-list.ts'
import { Unsendable } from './unsendable.ts'

export interface EgressOptions {
  /** Entries of SAGA_ALLOW_PRIVATE. */
  readonly allow: readonly string[]
  /** Whether any host may be called without TLS; if not, only those in `allow`. */
  readonly http?: boolean
  /** The only ports that may be called, of hosts that are not in `allow` (SAGA_PORTS); any when not given. */
  readonly ports?: readonly number[] | undefined
}

/** One end of a connection, as the URL names it. */
export interface Endpoint {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

/** Where calls may go. */
export interface Egress {
  /**
   * Whether the endpoint may be reached at this address: one of the internet, over TLS; or one that is allowed, by its
   * address or by the endpoint's name. A name lets it lead to private networks, but not to link-local addresses and other
   * special ones, where clouds hand out credentials: these have to be allowed as such.
   */
  permits(endpoint: Endpoint, address: string): boolean
  /** Why not: says what to change, and not where the name leads, which is the network's business. */
  refusal(endpoint: Endpoint): Unsendable
}

/** @throws AppError CONFIG_INVALID for an entry that is not legal */
export function createEgress({ allow, http = false, ports }: EgressOptions): Egress {
  const allowed = parseAllowList(allow)
  const mayBeCalled = (port: number) => ports === undefined || ports.includes(port)
  return {
    permits: ({ host, port, tls }, address) => {
      if (allowed.hasAddress(address, port)) return true
      if (allowed.hasName(host, port)) return isGlobal(address) || isInternal(address)
      return (tls || http) && mayBeCalled(port) && isGlobal(address)
    },
    refusal: ({ host, port, tls }) => {
      const [elsewhere, alsoIn] = mayBeCalled(port)
        ? ['', '']
        : [', or is at a port that is not in SAGA_PORTS', ', or its port to SAGA_PORTS']
      const why = `is not on the internet${tls ? '' : ', or is called without TLS'}${elsewhere}`
      return new Unsendable(`${host}:${port} ${why}. If that is as it should be, add it to SAGA_ALLOW_PRIVATE${alsoIn}`)
    },
  }
}

export function endpointOf({ protocol, hostname, port }: URL): Endpoint {
  const tls = protocol === 'https:'
  return {
    host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    port: port === '' ? (tls ? 443 : 80) : Number(port),
    tls,
  }
}
