import { hostname } from 'node:os'
import type { CallPort, Clock, Health, Logger, Part } from '@splitstream/kernel'
import type { Config } from './config.ts'
import { registerService } from './discovery/consul/registration.ts'
import { discover } from './discovery/discover.ts'
import type { EjectingDiscovery } from './discovery/ejection/ejection.ts'
import type { PortLink } from './links.ts'
import { callOverHttp } from './transports/http/client.ts'
import { ConnectionPool } from './transports/http/pool.ts'

export interface RemoteOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
}

/** Ports of other processes: where their instances are, and one pool of connections for all. */
export class RemotePorts implements Part {
  readonly name = 'links to other processes'
  readonly #o: RemoteOptions
  readonly #pool = new ConnectionPool()
  readonly #found = new Map<string, EjectingDiscovery>()

  constructor(o: RemoteOptions) {
    this.#o = o
  }

  bind<P extends object>(port: CallPort<P>, link: Exclude<PortLink, { kind: 'local' }>): P {
    const { config, clock, logger } = this.#o
    const instances = discover(link, { clock, logger, consul: consulOf(config) })
    this.#found.set(port.name, instances)
    return callOverHttp(port, { instances, pool: this.#pool, secret: config.INTERNAL_SECRET ?? '', clock })
  }

  async start(): Promise<void> {
    await Promise.all([...this.#found.values()].map((instances) => instances.start()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#found.values()].map((instances) => instances.stop()))
    this.#pool.close()
  }

  /** By link. A link never takes the process out of service: what it can do without the other side, it does. */
  health(): Record<string, Health> {
    const all = [...this.#found].map(([port, instances]): [string, Health] => {
      const health = instances.health()
      return [`link ${port}`, health.state === 'down' ? { ...health, state: 'degraded' } : health]
    })
    return Object.fromEntries(all)
  }

  /** Instances of each link and how they do, for GET /v1/topology. */
  view(): Record<string, unknown> {
    return Object.fromEntries([...this.#found].map(([port, instances]) => [port, instances.view()]))
  }
}

/** Registers the modules of this process with Consul, once it listens: consul://<module> finds them. */
export function registrations(config: Config, url: string, { clock, logger }: RemoteOptions): Part[] {
  if (config.CONSUL_URL === undefined) return []
  const address = config.ADVERTISE_HOST ?? (['0.0.0.0', '::'].includes(config.HOST) ? hostname() : config.HOST)
  const port = Number(new URL(url).port)
  return config.MODULES.map((name) =>
    registerService(
      { name, id: `${name}-${address}-${port}`, address, port },
      { access: consulOf(config), clock, logger },
    ),
  )
}

const consulOf = ({ CONSUL_URL, CONSUL_TOKEN }: Config) => ({
  ...(CONSUL_URL !== undefined && { url: CONSUL_URL }),
  ...(CONSUL_TOKEN !== undefined && { token: CONSUL_TOKEN }),
})
