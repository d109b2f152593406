import 'reflect-metadata'
import { hostname } from 'node:os'
import { type IngestAppend, ingestAppendPort } from '@splitstream/ingest/contract'
import {
  AppError,
  type Breakers,
  type CallPort,
  type Clock,
  type Logger,
  type Metrics,
  type Module,
  systemRandom,
  type Tracer,
} from '@splitstream/kernel'
import { type StorageRead, storageReadPort } from '@splitstream/storage/contract'
import { container, type DependencyContainer, type InjectionToken } from 'tsyringe'
import type { Config } from './config.ts'
import type { InFlight } from './edge/in-flight.ts'
import { RedisLockHint } from './engines/redis/lock-hint.ts'
import { type LogDeps, type OpenLog, openLogInDataDir, openLogOnKafka } from './event-log.ts'
import type { ProcessHealth } from './health/process-health.ts'
import { watchBreakers } from './health/watched-breakers.ts'
import { type Internal, openInternal } from './internal.ts'
import type { Platform } from './platform.ts'
import { type CallPortName, load, type ModuleName } from './registry.ts'
import type { RemotePorts } from './remote.ts'
import { createBreakers } from './resilience/breakers.ts'
import { guardReads } from './resilience/storage-reads.ts'
import { linkSetting, type Topology } from './topology.ts'
import { type ServedPort, servePort } from './transports/http/server.ts'
import type { CurrentCredentials } from './transports/http/tls/rotation.ts'
import { bindObserved } from './transports/inproc/bind.ts'
import { observeAppends } from './transports/observed-appends.ts'
import type { PortCalls } from './transports/port-calls.ts'
import { version } from './version.ts'

/** What module factories are given, by token. Each module has a child container: it sees the platform and its ports. */
export const tokens = {
  config: Symbol('config') as InjectionToken<Config>,
  platform: Symbol('platform') as InjectionToken<Platform>,
  clock: Symbol('clock') as InjectionToken<Clock>,
  logger: Symbol('logger') as InjectionToken<Logger>,
  metrics: Symbol('metrics') as InjectionToken<Metrics>,
  tracer: Symbol('tracer') as InjectionToken<Tracer>,
  health: Symbol('health') as InjectionToken<ProcessHealth>,
  'ingest.append': Symbol('ingest.append') as InjectionToken<IngestAppend>,
  'storage.read': Symbol('storage.read') as InjectionToken<StorageRead>,
}

export interface Bound {
  readonly modules: readonly { readonly name: ModuleName; readonly module: Module }[]
  /** What other processes may call here. */
  readonly served: readonly ServedPort[]
}

/** Opens the log of this process, if the modules here have to do with it. */
export async function bindLog({ events, log, groups }: Topology, deps: LogDeps): Promise<OpenLog | undefined> {
  if (log.size === 0) return undefined
  const need = { appends: log.has('append'), groups }
  return events.kind === 'local' ? openLogInDataDir(need, deps) : openLogOnKafka(events.brokers, need, deps)
}

/**
 * Makes the modules of this process and joins their ports. A port is bound before the module behind it exists (two modules
 * may need each other): the in-process adapter asks for its target at the first call.
 */
export async function bindModules(
  topology: Topology,
  base: {
    config: Config
    platform: Platform
    remote: RemotePorts
    /** Of what the process depends on. */
    breakers: Breakers
    calls: PortCalls
    clock: Clock
    logger: Logger
    metrics: Metrics
    tracer: Tracer
    health: ProcessHealth
  },
): Promise<Bound> {
  const root = container.createChildContainer()
  root.register(tokens.config, { useValue: base.config })
  root.register(tokens.platform, { useValue: base.platform })
  root.register(tokens.clock, { useValue: base.clock })
  root.register(tokens.logger, { useValue: base.logger })
  root.register(tokens.metrics, { useValue: base.metrics })
  root.register(tokens.tracer, { useValue: base.tracer })
  root.register(tokens.health, { useValue: base.health })

  const provided: { append?: IngestAppend; read?: StorageRead } = {}
  const bindPort = <P extends object>(port: CallPort<P>, target: () => P): P => {
    const name = port.name as CallPortName
    const link = topology.links.get(name)
    if (!link || link.kind === 'local') return bindObserved(port, target, base.clock, base.calls)
    return base.remote.bind(port, { link, methods: topology.calls.get(name), setting: linkSetting[name] })
  }
  const append = bindPort(ingestAppendPort, () => provided.append!)
  const read = bindPort(storageReadPort, () => provided.read!)
  root.register(tokens['ingest.append'], { useValue: append })
  root.register(tokens['storage.read'], { useValue: read })

  const servable = {
    'ingest.append': servePort(ingestAppendPort, () => provided.append!),
    'storage.read': servePort(storageReadPort, () => provided.read!),
  } satisfies Record<CallPortName, ServedPort>

  const modules = []
  for (const name of topology.modules) {
    const module = await make[name](root.createChildContainer())
    Object.assign(provided, module.ports)
    modules.push({ name, module })
  }
  if (provided.read) provided.read = guardReads(provided.read, readGuardOf(base))
  return { modules, served: topology.served.map((name) => servable[name]) }
}

/** The embedded engine has eight sessions, and each connection to a server is one: some are left for storing. */
const readsAtOnce = { embedded: 6, external: 12 }

function readGuardOf(base: { config: Config; platform: Platform; breakers: Breakers; clock: Clock }) {
  const embedded = base.config.CLICKHOUSE_URL === undefined
  const maxConcurrent = embedded ? readsAtOnce.embedded : readsAtOnce.external
  return { ...base, clickhouse: present(base.platform.clickhouse), embedded, maxConcurrent }
}

const maxAheadMs = 86_400_000

const make: Record<ModuleName, (c: DependencyContainer) => Promise<Module>> = {
  ingest: async (c) => {
    const config = c.resolve(tokens.config)
    return (await load.ingest())({
      ...common(c),
      log: observeAppends(present(c.resolve(tokens.platform).events), {
        ...common(c),
        system: config.LINK_EVENTS.kind === 'kafka' ? 'kafka' : 'splitstream',
      }),
      storage: c.resolve(tokens['storage.read']),
      limits: {
        maxEvents: config.MAX_BATCH_EVENTS,
        maxEventBytes: config.MAX_EVENT_BYTES,
        maxNameBytes: 1024,
        maxAheadMs,
      },
    })
  },
  storage: async (c) => {
    const config = c.resolve(tokens.config)
    const platform = c.resolve(tokens.platform)
    return (await load.storage())({
      ...common(c),
      log: present(platform.events),
      clickhouse: present(platform.clickhouse),
      postgres: platform.postgres('storage'),
      ingest: c.resolve(tokens['ingest.append']),
      limits: {
        maxEvents: config.STORAGE_BLOCK_EVENTS,
        maxBytes: 16 << 20,
        lingerMs: config.STORAGE_LINGER_MS,
        insertBudgetMs: 120_000,
        seenKeys: config.SEEN_KEYS,
        read: {
          get maxExecutionMs() {
            return config.QUERY_MAX_SECONDS * 1000
          },
          maxMemoryBytes: Math.floor(config.CLICKHOUSE_MAX_MEMORY_BYTES / 2),
          get maxRowsToRead() {
            return config.QUERY_MAX_ROWS
          },
          maxResultBytes: 64 << 20,
        },
      },
    })
  },
  query: async (c) =>
    (await load.query())({
      ...common(c),
      storage: c.resolve(tokens['storage.read']),
      cursorSecret: c.resolve(tokens.platform).cursorSecret,
      partitions: c.resolve(tokens.config).LOG_PARTITIONS,
      maxStreams: c.resolve(tokens.config).QUERY_MAX_STREAMS,
      stale: {
        maxBytes: c.resolve(tokens.config).QUERY_STALE_BYTES,
        maxAgeMs: c.resolve(tokens.config).QUERY_STALE_SECONDS * 1000,
      },
    }),
  sagas: async (c) => {
    const config = c.resolve(tokens.config)
    const platform = c.resolve(tokens.platform)
    const parts = common(c)
    return (await load.sagas())({
      ...parts,
      log: present(platform.events),
      postgres: platform.postgres('sagas'),
      commits: platform.postgres('sagas', 'by key'),
      ingest: c.resolve(tokens['ingest.append']),
      hint: platform.redis && new RedisLockHint(platform.redis),
      random: systemRandom,
      breakers: watchBreakers(
        createBreakers({ ...parts, kind: 'saga_participants' }),
        'participants',
        c.resolve(tokens.health),
      ),
      signingSecret: platform.signingSecret,
      name: `${hostname()}:${process.pid}`,
      version,
      limits: {
        capacity: config.SAGA_CAPACITY,
        retainMs: config.SAGA_RETAIN_DAYS * 86_400_000,
        retainKeysMs: config.SAGA_EVENT_RETAIN_DAYS * 86_400_000,
        maxAnswerBytes: config.SAGA_MAX_ANSWER_BYTES,
        allowPrivate: config.SAGA_ALLOW_PRIVATE,
        ports: config.SAGA_PORTS,
      },
    })
  },
}

const common = (c: DependencyContainer) => ({
  clock: c.resolve(tokens.clock),
  logger: c.resolve(tokens.logger),
  metrics: c.resolve(tokens.metrics),
  tracer: c.resolve(tokens.tracer),
})

/** The platform starts what the topology says that the modules need. */
function present<T>(part: T | undefined): T {
  if (part === undefined) throw new AppError('INTERNAL', 'A module was given less than the registry says that it needs')
  return part
}

/** Undefined when there is nothing that other processes may call. */
export function createPorts(
  { served }: Bound,
  o: {
    config: Config
    credentials: CurrentCredentials | undefined
    clock: Clock
    logger: Logger
    metrics: Metrics
    inFlight: InFlight
  },
): Internal | undefined {
  return served.length === 0 ? undefined : openInternal({ ...o, ports: served })
}
