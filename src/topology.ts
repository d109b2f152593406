import { type Route, routesOf } from '@splitstream/kernel'
import { type Config, ConfigError } from './config.ts'
import { checkAccess, type RemoteLink, tlsFilesOf } from './internal-access.ts'
import { checkKafkaAccess } from './kafka-access.ts'
import type { EventsLink, PortLink } from './links.ts'
import {
  type CallPortName,
  type EngineName,
  type ModuleName,
  moduleNames,
  type OptionalServer,
  type Registration,
  registry,
} from './registry.ts'
import { topologyOperations } from './topology-operation.ts'

export interface Topology {
  readonly modules: readonly ModuleName[]
  /** For each call port that a module here requires. */
  readonly links: ReadonlyMap<CallPortName, PortLink>
  /** Methods of those ports that the modules here call; a port that is not named: all of it. */
  readonly calls: ReadonlyMap<CallPortName, readonly string[]>
  /** What other processes may call here; empty when nothing says who may. */
  readonly served: readonly CallPortName[]
  readonly events: EventsLink
  /** What the modules here do with the log. */
  readonly log: ReadonlySet<'append' | 'consume'>
  /** Consumer groups of the log that there may be: those of this process, or, where others consume it too, all. */
  readonly groups: readonly ModuleName[]
  readonly engines: ReadonlySet<EngineName>
  readonly optional: ReadonlySet<OptionalServer>
}

export const linkSetting = {
  'ingest.append': 'LINK_INGEST_APPEND',
  'storage.read': 'LINK_STORAGE_READ',
} as const satisfies Record<CallPortName, keyof Config>

/**
 * Who runs here and how each required port is reached. With bind.ts the only place that knows placement.
 * @throws ConfigError naming the variable to set
 */
export function planTopology(config: Config): Topology {
  const rows = config.MODULES.map((name): Registration => registry[name])
  const provided = new Set(rows.flatMap((row) => row.provides))
  const links = new Map<CallPortName, PortLink>()
  for (const port of new Set(rows.flatMap((row) => row.requires))) {
    const link = config[linkSetting[port]]
    if (link.kind === 'local' && !provided.has(port)) throw new ConfigError(noProvider(config, port))
    links.set(port, link)
  }
  const log = new Set(rows.flatMap((row) => (row.log === 'none' ? [] : [row.log])))
  const topology: Topology = {
    modules: config.MODULES,
    links,
    calls: callsOf(rows),
    served: config.INTERNAL_SECRET === undefined && !tlsFilesOf(config) ? [] : [...provided],
    events: config.LINK_EVENTS,
    log,
    groups: groupsOf(config),
    engines: enginesOf(config.MODULES),
    optional: new Set(rows.flatMap((row) => row.optional ?? [])),
  }
  checkShared(config, topology)
  checkKafkaAccess(config, brokersOf(config.LINK_EVENTS))
  if (topology.engines.has('clickhouse')) checkClickHouse(config)
  return topology
}

/** What a part of the process cannot work without, by the names of parts in GET /health. Undefined: nothing here mends it. */
export function needsOf(topology: Topology, part: string): readonly string[] | undefined {
  if (part === 'keys') return ['postgres']
  const name = topology.modules.find((module) => module === part)
  if (name === undefined) return undefined
  const row: Registration = registry[name]
  const remote = remoteLinksOf(topology)
  const links = row.requires.filter((port) => remote.has(port))
  return [...row.engines, ...(row.log === 'none' ? [] : ['log']), ...links.map((port) => `link ${port}`)]
}

/** Engines that these modules keep their data in. */
export const enginesOf = (modules: readonly ModuleName[]): ReadonlySet<EngineName> =>
  new Set(modules.flatMap((name): readonly EngineName[] => registry[name].engines))

/** Required ports that other processes provide. */
export function remoteLinksOf({ links }: Topology): ReadonlyMap<CallPortName, RemoteLink> {
  const remote = new Map<CallPortName, RemoteLink>()
  for (const [port, link] of links) if (link.kind !== 'local') remote.set(port, link)
  return remote
}

/** Of a log on Kafka; none of another. */
export const brokersOf = (link: EventsLink): readonly string[] => (link.kind === 'kafka' ? link.brokers : [])

/** As the log is called among dependencies, in GET /health and in metrics. */
export const nameOfLog = ({ events }: Topology): 'kafka' | 'log' => (events.kind === 'kafka' ? 'kafka' : 'log')

/** What of the log is kept on the disk of this process, bytes at most, and the setting that says so. */
export const logOnDisk = (config: Config) =>
  config.LINK_EVENTS.kind === 'local'
    ? { setting: 'LOG_RETAIN_BYTES', bytes: config.LOG_RETAIN_BYTES }
    : { setting: 'SPOOL_MAX_BYTES', bytes: config.SPOOL_MAX_BYTES }

/** Whether it is of no use while its disk is full, as one is that only takes events; one that serves queries still is. */
export const needsRoom = ({ modules }: Topology): boolean => modules.includes('ingest') && !modules.includes('query')

/** They are called as their modules. All that consume a local log run in this process. */
function groupsOf(config: Config): readonly ModuleName[] {
  const consumers = config.LINK_EVENTS.kind === 'local' ? config.MODULES : moduleNames
  return consumers.filter((name) => registry[name].log === 'consume')
}

function callsOf(rows: readonly Registration[]): Topology['calls'] {
  const calls = new Map<CallPortName, readonly string[]>()
  for (const port of new Set(rows.flatMap((row) => row.requires))) {
    const each = rows.flatMap((row) => (row.requires.includes(port) ? [row.calls?.[port]] : []))
    const named = each.flatMap((methods) => methods ?? [])
    if (!each.includes(undefined)) calls.set(port, [...new Set(named)])
  }
  return calls
}

/** What a process that is one of several cannot have for itself. */
function checkShared(config: Config, topology: Topology): void {
  const { log, events } = topology
  const modules = `MODULES=${config.MODULES.join(',')}`
  const elsewhere = (['ingest', 'storage'] as const).find((name) => !config.MODULES.includes(name))
  if (events.kind === 'local' && log.size > 0 && elsewhere) {
    const other = elsewhere === 'storage' ? 'stores' : 'ingests'
    throw new ConfigError(
      `${modules}: the module that ${other} events runs in another process, so the log has to be one that both reach: ` +
        'set LINK_EVENTS=kafka://host:9092,…',
    )
  }
  if (events.kind === 'kafka' && config.MAX_BATCH_EVENTS > 65_536) {
    throw new ConfigError('MAX_BATCH_EVENTS can be 65536 at most when LINK_EVENTS is kafka://: a record holds no more')
  }
  checkAccess(
    config,
    [...remoteLinksOf(topology)].map(([port, link]) => [linkSetting[port], link]),
  )
  if (config.MODULES.length < moduleNames.length && config.POSTGRES_URL === undefined) {
    throw new ConfigError(
      `${modules}: the processes of a split share API keys and progress: set POSTGRES_URL to the same database in all of them`,
    )
  }
}

/** Several servers that are no replicas are several databases: events of one would be missing in the other. */
function checkClickHouse({ CLICKHOUSE_URL: servers, CLICKHOUSE_CLUSTER: cluster }: Config): void {
  const count = servers?.origins.length ?? 0
  if (count > 1 && cluster === undefined) {
    throw new ConfigError(
      `CLICKHOUSE_URL names ${count} servers: set CLICKHOUSE_CLUSTER to the cluster whose replicas they are, or name one`,
    )
  }
  if (count < 2 && cluster !== undefined) {
    throw new ConfigError(
      `CLICKHOUSE_CLUSTER=${cluster} needs its replicas in CLICKHOUSE_URL, each by its own address (a balancer before them would hide which one answers): http://user:password@a:8123,b:8123,c:8123/database`,
    )
  }
}

function noProvider(config: Config, port: CallPortName): string {
  const owner = moduleNames.find((name) => (registry[name] as Registration).provides.includes(port))
  return (
    `MODULES=${config.MODULES.join(',')} needs the port ${port}, which no module of this process provides: ` +
    `set ${linkSetting[port]}=http://host:port to the process that runs ${owner}, or add ${owner} to MODULES`
  )
}

/** Rows of `splitstream topology` and of GET /v1/topology. */
export interface TopologyView {
  readonly modules: readonly string[]
  readonly links: readonly { readonly port: string; readonly over: string; readonly setting: string }[]
  readonly serves: readonly string[]
}

export function viewOf(topology: Topology): TopologyView {
  const events = topology.events.kind === 'local' ? 'local log' : `kafka://${topology.events.brokers.join(',')}`
  return {
    modules: topology.modules,
    links: [
      ...[...topology.log].map((use) => ({ port: `events (${use})`, over: events, setting: 'LINK_EVENTS' })),
      ...[...topology.links].map(([port, link]) => ({
        port,
        over: link.kind === 'local' ? 'in process' : link.text,
        setting: linkSetting[port],
      })),
    ],
    serves: topology.served,
  }
}

/** @param instances where each link leads at the moment, and how those do */
export function topologyRoutes(topology: Topology, instances: () => Record<string, unknown>): Route[] {
  const view = viewOf(topology)
  return routesOf(topologyOperations, {
    getTopology: async () => ({ status: 200, json: { ...view, instances: instances() } }),
  })
}
