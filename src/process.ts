import {
  type Clock,
  type Health,
  Lifecycle,
  type Logger,
  type Metrics,
  messageOf,
  type Reading,
  systemClock,
} from '@splitstream/kernel'
import { Backups } from './backup/backups.ts'
import { backupRoutes } from './backup/routes.ts'
import type { BackupSources } from './backup/take-backup.ts'
import { bindModules, createPorts } from './bind.ts'
import type { Config } from './config.ts'
import { ConfigWatch } from './config-watch.ts'
import { InFlight } from './edge/body.ts'
import { createEdge } from './edge/edge.ts'
import { keyRoutes } from './edge/keys/key-routes.ts'
import { documentRoutes } from './edge/openapi/document-route.ts'
import { opsRoutes } from './edge/ops-routes.ts'
import { isOperator } from './edge/serve.ts'
import type { OpenLog } from './event-log.ts'
import { ProcessHealth } from './health/process-health.ts'
import { tlsFilesOf } from './internal-access.ts'
import type { LiveSettings } from './live-settings.ts'
import { logRoutes } from './log-routes.ts'
import { startPlatform } from './platform.ts'
import { createQuotas, defaultQuotas } from './quotas.ts'
import { RemotePorts, registrations } from './remote.ts'
import { dependencyBreakers } from './resilience/dependencies.ts'
import { createLogger } from './telemetry/logger.ts'
import { otlpOptions } from './telemetry/settings.ts'
import { createTelemetry } from './telemetry/telemetry.ts'
import { needsOf, planTopology, topologyRoutes } from './topology.ts'
import { readCredentials } from './transports/http/tls/credentials.ts'
import { Rotation, watchExpiry } from './transports/http/tls/rotation.ts'
import { PortCalls } from './transports/port-calls.ts'
import { version } from './version.ts'

export interface Running {
  readonly url: string
  /** Set when it was made at this start: show it now or never. */
  readonly freshAdminKey: string | undefined
  /** Reads the settings again; what changed, and what has to wait for a restart, goes to the log. */
  reload(): void
  /** Resolves with the reason when it is of no use any more: end it, so that its supervisor starts another one. */
  readonly lost: Promise<string>
  /** The part that is being stopped now. */
  readonly ending: string | undefined
  stop(): Promise<void>
}

/** The process, part by part: engines and log → modules → HTTP. Stops in reverse. */
export async function startProcess(settings: LiveSettings): Promise<Running> {
  const { config } = settings
  const topology = planTopology(config)
  const tlsFiles = tlsFilesOf(config)
  const shown = tlsFiles && (await readCredentials(tlsFiles))
  const logger = createLogger(config.LOG_LEVEL)
  const clock = systemClock
  const lifecycle = new Lifecycle(logger)
  const rereading = new ConfigWatch(config.CONFIG_FILE, clock, () => reload(settings, logger))
  const telemetry = await createTelemetry(otlpOptions(config, version), clock, logger)
  const { metrics, tracer } = telemetry
  await lifecycle.start(telemetry)
  const credentials = shown && new Rotation(shown, { clock, logger })
  if (credentials) watchExpiry(credentials, clock, metrics)
  if (credentials) await lifecycle.start(credentials)
  const health = new ProcessHealth({ clock, metrics })
  telemetry.watchedBy(health)
  const breakers = dependencyBreakers({ clock, logger, metrics })
  const platform = await startPlatform(config, topology, clock, logger, lifecycle, { ...telemetry, health, breakers })
  await lifecycle.start(health)

  let started = false
  try {
    const calls = new PortCalls({ clock, metrics, tracer })
    const remote = new RemotePorts({ config, clock, logger, metrics, calls, breakers, credentials, health })
    const common = { config, platform, remote, breakers, calls, clock, logger, metrics, tracer, health }
    const bound = await bindModules(topology, common)
    await lifecycle.start(remote)
    for (const { name, module } of bound.modules) {
      await lifecycle.start({ name, start: () => module.start(), stop: () => module.stop() })
    }
    const quotas = await createQuotas(config, { clock, logger, metrics, health })
    await lifecycle.start(quotas)
    const parts = (): Record<string, Health> => ({
      ...platform.health(),
      ...remote.health(),
      ...quotas.health(),
      ...(credentials && { certificates: credentials.health() }),
      ...Object.fromEntries(bound.modules.map(({ name, module }) => [name, module.health()])),
    })
    health.addAll(parts, (part) => needsOf(topology, part))
    const inFlight = new InFlight(config.MAX_IN_FLIGHT_BYTES)
    inFlight.tell(metrics)
    if (platform.log) watchLog(platform.log, metrics)
    const ports = createPorts(bound, { config, credentials, clock, logger, metrics, inFlight })
    const backups = backupsOf(config, platform.backup, { clock, logger })
    await lifecycle.start({ name: 'backups', start: () => backups.start(), stop: () => backups.stop() })
    const edge = createEdge({
      host: config.HOST,
      port: config.PORT,
      sharePort: config.SHARE_PORT,
      routes: [
        ...bound.modules.flatMap(({ module }) => module.routes),
        ...keyRoutes(platform.keys, isOperator),
        ...opsRoutes({
          health: () => health.parts(),
          dependencies: () => health.dependencies(),
          started: () => started,
          metricsText: () => metrics.text(),
        }),
        ...(platform.log ? logRoutes(platform.log.turns) : []),
        ...backupRoutes(backups),
        ...documentRoutes(),
        ...topologyRoutes(topology, () => remote.view()),
      ],
      ...(ports?.handler && { internal: ports.handler }),
      keys: platform.keys,
      clock,
      logger,
      metrics,
      tracer,
      body: { maxBytes: config.MAX_BODY_BYTES, timeoutMs: 30_000 },
      inFlight,
      delayMs: config.OVERLOAD_DELAY_MS,
      quotas: quotas.quotas,
      budgetMs: 30_000,
    })
    settings.onChange((now) => {
      logger.setLevel(now.LOG_LEVEL)
      inFlight.setLimit(now.MAX_IN_FLIGHT_BYTES)
      edge.setDelay(now.OVERLOAD_DELAY_MS)
      quotas.quotas.change(defaultQuotas(now))
    })
    await lifecycle.start({ name: 'rest of the log', start: async () => {}, stop: async () => platform.log?.finish() })
    let url = ''
    let internalUrl: string | undefined
    await lifecycle.start({
      name: 'HTTP',
      start: async () => {
        url = (await edge.start()).url
        internalUrl = await ports?.start()
      },
      stop: async () => {
        await edge.drain(config.DRAIN_SECONDS * 1000)
        await Promise.all([ports?.stop(), edge.stop()])
      },
    })
    const called = bound.modules.flatMap(({ name, module }) => (Object.keys(module.ports).length > 0 ? [name] : []))
    const internal = internalUrl === undefined ? undefined : { url: internalUrl, called: new Set<string>(called) }
    await lifecycle.start(
      registrations({ url, internal }, { config, clock, logger, health, consul: () => remote.consul }),
    )
    await lifecycle.start(rereading)
    started = true
    logger.info('ready', { url, ...(internalUrl !== undefined && { internalUrl }), modules: topology.modules })
    return {
      url,
      freshAdminKey: platform.freshAdminKey,
      reload: () => reload(settings, logger),
      lost: platform.log?.lost ?? new Promise(() => undefined),
      get ending() {
        return lifecycle.ending
      },
      stop: () => {
        started = false
        return lifecycle.stop()
      },
    }
  } catch (error) {
    await lifecycle.stop()
    throw error
  }
}

function reload(settings: LiveSettings, logger: Logger): void {
  try {
    const { changed, needRestart } = settings.reload()
    logger.info('settings were read again', { changed })
    if (needRestart.length > 0) logger.warn('changed settings wait for a restart', { settings: needRestart })
  } catch (error) {
    logger.error('settings were read again and are not valid: all stay as they were', { error: messageOf(error) })
  }
}

function backupsOf(config: Config, sources: BackupSources | string, common: { clock: Clock; logger: Logger }): Backups {
  return new Backups({
    dir: config.BACKUP_DIR,
    dataDir: config.DATA_DIR,
    sources,
    bytesPerSecond: config.BACKUP_BYTES_PER_SECOND,
    minFreeBytes: config.MIN_FREE_BYTES,
    ...common,
  })
}

function watchLog(log: OpenLog, metrics: Metrics): void {
  metrics.gauge('splitstream.log.pending', 'Bytes waiting to become durable', () => log.pendingBytes, 'By')
  const help = 'Events appended and not yet taken by a consumer group; on Kafka about so many'
  metrics.gauge('splitstream.log.lag.events', help, () => readings(log.lags()), '{event}')
}

function readings(lags: ReturnType<OpenLog['lags']>): Reading | Promise<Reading> {
  if (lags instanceof Promise) return lags.then(readings)
  return [...lags].map(([group, events]) => [{ 'messaging.consumer.group.name': group }, events] as const)
}
