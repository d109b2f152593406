import { AppError, type Clock, type Logger, type Random, systemRandom } from '@splitstream/kernel'
import type { ConsulAccess } from './consul/agent.ts'
import { consulDiscovery } from './consul/consul.ts'
import type { Discovery } from './discovery.ts'
import { dnsDiscovery } from './dns/dns.ts'
import { EjectingDiscovery } from './ejection/ejection.ts'
import { type Host, hostsOf, originAt } from './host.ts'
import { staticResolver } from './static.ts'

/** Where the instances of a service are to be found. */
export interface DiscoveryLink {
  readonly kind: 'static' | 'dns' | 'consul'
  /** http(s)://host:port[,host:port...] for every kind; for consul http(s)://service. */
  readonly url: string
}

export interface DiscoverOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: Random
  /** Used by links to Consul. */
  readonly consul?: ConsulAccess
}

/**
 * Finds the instances of a link and leaves out those that do badly. To be started before its first use.
 * @param among chooses among what is found, before it is known how each does
 * @throws AppError CONFIG_INVALID for a link that cannot be meant so
 */
export function discover(
  link: DiscoveryLink,
  options: DiscoverOptions,
  among: (found: Discovery) => Discovery = (found) => found,
): EjectingDiscovery {
  return new EjectingDiscovery(among(find(link.kind, hostsOf(link.url), options)), options)
}

function find(kind: DiscoveryLink['kind'], hosts: readonly Host[], options: DiscoverOptions): Discovery {
  const { random = systemRandom, consul = {} } = options
  switch (kind) {
    case 'static':
      return staticResolver(hosts.map(({ name, port, scheme }) => originAt(name, port, scheme)))
    case 'dns':
      return dnsDiscovery(hosts, options)
    case 'consul':
      return consulDiscovery(serviceOf(hosts), { ...options, random, access: consul, scheme: hosts[0]!.scheme })
  }
}

/** Consul says where a service is: a port in the link would be one too many. */
function serviceOf(hosts: readonly Host[]): string {
  const [service, second] = hosts
  if (!service || second || service.port !== undefined) {
    throw new AppError('CONFIG_INVALID', 'A link to Consul names one service and no port: consul://service')
  }
  return service.name
}
