import { hostname } from 'node:os'
import type { Breakers, CallPort, Clock, Health, Logger, Metrics, Part } from '@splitstream/kernel'
import type { Config } from './config.ts'
import type { ConsulAccess } from './discovery/consul/agent.ts'
import { registerService } from './discovery/consul/registration.ts'
import { discover } from './discovery/discover.ts'
import type { EjectingDiscovery } from './discovery/ejection/ejection.ts'
import type { ProcessHealth } from './health/process-health.ts'
import { watchConsul } from './health/watched-consul.ts'
import { watchPort } from './health/watched-port.ts'
import { isSecure, type RemoteLink } from './internal-access.ts'
import { guardLink } from './resilience/links.ts'
import { callOverHttp } from './transports/http/client.ts'
import { CompatibleDiscovery } from './transports/http/compatible.ts'
import { askPorts } from './transports/http/handshake.ts'
import { ConnectionPool } from './transports/http/pool.ts'
import type { CurrentCredentials } from './transports/http/tls/rotation.ts'
import type { PortCalls } from './transports/port-calls.ts'

export interface RemoteOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly health: ProcessHealth
}

export interface RemotePortsOptions extends RemoteOptions {
  readonly metrics: Metrics
  readonly calls: PortCalls
  /** Of what the process depends on. */
  readonly breakers: Breakers
  /** For links over mutual TLS. */
  readonly credentials: CurrentCredentials | undefined
}

/** The link of one port. */
interface Link {
  readonly instances: EjectingDiscovery
  readonly compatible: CompatibleDiscovery
}

/** Calls of one port at once, those that wait for events to be stored among them. */
const maxCalls = 1_024
/** For the answer to a question of which the answer is always the same, ms. */
const askMs = 1_000

/** Where a port of another process is, and what of it is needed here. */
export interface RemotePort {
  readonly link: RemoteLink
  /** Methods that are called here; absent: all of the port. */
  readonly methods?: readonly string[] | undefined
  /** The setting that holds the link. */
  readonly setting: string
}

/** Ports of other processes: where their instances are, and one pool of connections for all. */
export class RemotePorts implements Part {
  readonly name = 'links to other processes'
  readonly #o: RemotePortsOptions
  readonly #pool: ConnectionPool
  readonly #links = new Map<string, Link>()
  #consul: ConsulAccess | undefined

  constructor(o: RemotePortsOptions) {
    this.#o = o
    this.#pool = new ConnectionPool({}, o.credentials)
  }

  bind<P extends object>(port: CallPort<P>, { link, methods, setting }: RemotePort): P {
    const { config, clock, logger, calls, breakers, credentials, health } = this.#o
    const caller = { pool: this.#pool, secret: config.INTERNAL_SECRET }
    const { kind, url } = link
    const options = { clock, logger, ...(kind === 'consul' && { consul: this.consul }) }
    // Only for Consul does the link not say it by itself.
    const place = { kind, url: isSecure(link, credentials !== undefined) ? url.replace(/^http:/, 'https:') : url }
    const needed = { port: port as CallPort<object>, methods, setting }
    let compatible!: CompatibleDiscovery
    const instances = discover(place, options, (found) => {
      const heard = (origin: string, now: number): void => health.clock.heard(origin, now)
      compatible = new CompatibleDiscovery(found, { needed, caller, clock, logger, heard })
      return compatible
    })
    this.#links.set(port.name, { instances, compatible })
    const breaker = breakers.get(`link ${port.name}`, maxCalls)
    // With the name that its certificate is for.
    const ask = (origin: string) =>
      askPorts(compatible.current().find((one) => one.origin === origin) ?? { origin }, caller, askMs)
    const guard = guardLink({ name: port.name, breaker, clock, instances, ask })
    return watchPort(port.name, callOverHttp(port, { instances, ...caller, clock, calls, guard }), health)
  }

  /** Made at its first use, and watched as a dependency: once for all that ask there. */
  get consul(): ConsulAccess {
    this.#consul ??= watchConsul(consulOf(this.#o.config), this.#o)
    return this.#consul
  }

  async start(): Promise<void> {
    await Promise.all([...this.#links.values()].map(({ instances }) => instances.start()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links.values()].map(({ instances }) => instances.stop()))
    this.#pool.close()
  }

  /**
   * By link. The other side being away never takes the process out of service: what it can do without, it does. One that is
   * there and does not serve what is needed here does: that passes by an upgrade alone.
   */
  health(): Record<string, Health> {
    const all = [...this.#links].map(([port, { instances, compatible }]): [string, Health] => {
      const health = instances.health()
      const passes = health.state === 'down' && compatible.lack === undefined
      return [`link ${port}`, passes ? { ...health, state: 'degraded' } : health]
    })
    return Object.fromEntries(all)
  }

  /** Instances of each link and how they do, for GET /v1/topology. */
  view(): Record<string, unknown> {
    const each = ({ instances, compatible }: Link): unknown[] => {
      const called = instances.view()
      const lacking = compatible.lacking()
      const leftOut = [...lacking].filter(([origin]) => !called.some((one) => one.origin === origin))
      return [
        ...called.map((one) => ({ ...one, ...(lacking.has(one.origin) && { lacks: lacking.get(one.origin) }) })),
        ...leftOut.map(([origin, lacks]) => ({ origin, state: 'left out', lacks })),
      ]
    }
    return Object.fromEntries([...this.#links].map(([port, link]) => [port, each(link)]))
  }
}

export interface RegistrationsOptions extends RemoteOptions {
  /** Asked for when there is something to register. */
  readonly consul: () => ConsulAccess
}

/** Where this process listens. */
export interface Listening {
  readonly url: string
  /** The port of its own for calls of other processes, when it has one, and the modules that are called there. */
  readonly internal: { readonly url: string; readonly called: ReadonlySet<string> } | undefined
}

/**
 * Registers the modules of this process with Consul, if there is one, once it listens: consul://<module> finds them, where they
 * are called. Consul asks how they do at the public port, in any case. All at the same time: until the last is out of Consul at
 * a stop, HTTP serves on.
 */
export function registrations({ url, internal }: Listening, o: RegistrationsOptions): Part {
  const { config, clock, logger, health, consul } = o
  const address = config.ADVERTISE_HOST ?? (['0.0.0.0', '::'].includes(config.HOST) ? hostname() : config.HOST)
  const healthPort = Number(new URL(url).port)
  const portOf = (name: string): number =>
    internal?.called.has(name) ? Number(new URL(internal.url).port) : healthPort
  const registrationOf = (name: string) =>
    registerService(
      { name, id: `${name}-${address}-${healthPort}`, address, port: portOf(name), healthPort },
      { access: consul(), clock, logger },
    )
  const each = config.CONSUL_URL === undefined ? [] : config.MODULES.map(registrationOf)
  for (const one of each) health.add({ part: 'consul', read: () => one.health() })
  return {
    name: 'registrations with Consul',
    start: async () => {
      await Promise.all(each.map((one) => one.start()))
    },
    stop: async () => {
      await Promise.all(each.map((one) => one.stop()))
    },
  }
}

const consulOf = ({ CONSUL_URL, CONSUL_TOKEN }: Config) => ({
  ...(CONSUL_URL !== undefined && { url: CONSUL_URL }),
  ...(CONSUL_TOKEN !== undefined && { token: CONSUL_TOKEN }),
})
