import { createHmac, randomBytes } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type {
  Breakers,
  ClickHouse,
  Clock,
  EventLog,
  Health,
  Lifecycle,
  Logger,
  Metrics,
  Postgres,
  Tracer,
} from '@splitstream/kernel'
import { refuseHalfRestored } from './backup/half-restored.ts'
import { sourcesOf } from './backup/sources.ts'
import type { BackupSources } from './backup/take-backup.ts'
import { bindLog } from './bind.ts'
import type { Config } from './config.ts'
import { KeyStore, sharedSecret } from './edge/keys/key-store.ts'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './engines/clickhouse/embedded.ts'
import { openClickHouseServers } from './engines/clickhouse/open.ts'
import { pingClickHouse } from './engines/clickhouse/ping.ts'
import { tidyDetached } from './engines/clickhouse/tidy-detached.ts'
import { connectPostgres, type Plans, type Pool } from './engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from './engines/postgres/migrate.ts'
import type { RedisNodes } from './engines/redis/driver.ts'
import type { OpenLog } from './event-log.ts'
import type { ProcessHealth } from './health/process-health.ts'
import { ClickHouseWatch } from './health/watched-clickhouse.ts'
import { WatchedLog } from './health/watched-log.ts'
import { PostgresWatch } from './health/watched-postgres.ts'
import { watchRedis } from './health/watched-redis.ts'
import { LogHandover } from './log-handover.ts'
import { LogTurns } from './log-turns.ts'
import { nameOfLog, needsOf, needsRoom, type Topology } from './topology.ts'
import { idleInTransactionMs } from './transaction-limits.ts'

/** What this process's modules stand on, started: as much of it as they need. */
export interface Platform {
  readonly log: LogHandover | undefined
  /** The same, watched: what modules append to and consume. */
  readonly events: EventLog | undefined
  readonly clickhouse: ClickHouse | undefined
  /** A pool of connections with the role and schema of one module. */
  postgres(schema: string, plans?: Plans): Postgres
  readonly keys: KeyStore
  readonly cursorSecret: Uint8Array
  /** What requests to participants of a tenant's sagas are signed with. */
  signingSecret(tenant: string): Uint8Array
  /** Redis, as far as locks are concerned; undefined without it. */
  readonly redis: RedisNodes | undefined
  /** The operator's key, when it was made just now. */
  readonly freshAdminKey: string | undefined
  /** What a backup copies, or why it cannot. */
  readonly backup: BackupSources | string
  health(): Record<string, Health>
}

interface Observed {
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly health: ProcessHealth
  readonly breakers: Breakers
}

const migrations = fileURLToPath(new URL('../migrations/', import.meta.url))
const database = 'splitstream'
/** A hint about a lock that comes later is of no use, ms. */
const slowHintMs = 40
/** The connection by which Postgres is asked whether it answers: nobody else has it, and an answer comes soon or not at all. */
const onlyAsked = { max: 1, applicationName: 'splitstream health', connectTimeoutMs: 1_500, statementTimeoutMs: 1_500 }

/**
 * Opens the log, which holds DATA_DIR for this process; then starts the engines side by side and brings their schemas up to
 * date. Everything started is stopped by `lifecycle`.
 */
export async function startPlatform(
  config: Config,
  topology: Topology,
  clock: Clock,
  logger: Logger,
  lifecycle: Lifecycle,
  observed: Observed,
): Promise<Platform> {
  await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 })
  await chmod(config.DATA_DIR, 0o700)
  await refuseHalfRestored(config.DATA_DIR)
  const log = await bindLog(topology, { config, clock, logger, lifecycle, metrics: observed.metrics })
  const [postgres, clickhouse] = await startBoth(
    lifecycle,
    openPostgres(config, clock, logger, lifecycle, observed),
    topology.engines.has('clickhouse')
      ? openClickHouse(config, clock, logger, lifecycle, observed)
      : Promise.resolve(undefined),
  )
  const turns = log && (await takeTurn(log, postgres.connect('ingest'), { config, topology, clock, logger, lifecycle }))
  const keys = new KeyStore(postgres.connect('edge'), clock, logger)
  const freshAdminKey = await keys.bootstrap(config.ADMIN_KEY)
  await lifecycle.start({ name: 'API keys', start: () => keys.start(), stop: () => keys.stop() })
  const redis = topology.optional.has('redis') ? await openRedis(config, logger, lifecycle) : undefined
  const secrets = postgres.connect('edge')
  const signing = await sharedSecret(secrets, 'saga-signing', randomBytes(32))
  return {
    log: turns,
    events: turns && watchLog(turns, topology, observed.health),
    clickhouse: clickhouse?.driver,
    postgres: postgres.connect,
    keys,
    cursorSecret: await sharedSecret(secrets, 'cursor', randomBytes(32)),
    signingSecret: signingSecrets(signing),
    redis: redis && watchRedis(redis, { name: 'redis', use: 'locks', slowMs: slowHintMs, ...observed }),
    freshAdminKey,
    backup: sourcesOf({ log: log?.files, postgres: postgres.server, clickhouse: clickhouse?.embedded }),
    health: (): Record<string, Health> => ({
      ...(turns && { log: turns.health() }),
      ...(log?.retention && { retention: log.retention() }),
      ...(redis && { redis: redis.health() }),
      keys: keys.health(),
    }),
  }
}

function watchLog(log: LogHandover, topology: Topology, health: ProcessHealth): EventLog {
  return new WatchedLog(log, health, {
    name: nameOfLog(topology),
    lags: () => log.lags(),
    full: () => needsRoom(topology) && log.full,
    needs: (part) => needsOf(topology, part),
  })
}

/** Enters the log in the list of those that are used, which this process leaves at its stop. */
async function takeTurn(
  log: OpenLog,
  postgres: Postgres,
  o: { config: Config; topology: Topology; clock: Clock; logger: Logger; lifecycle: Lifecycle },
): Promise<LogHandover> {
  const { config, topology, clock, logger, lifecycle } = o
  const name = `${hostname()}:${config.DATA_DIR} ${config.MODULES.join(',')} :${config.PORT}`
  const turns = new LogTurns(postgres, topology.events.kind, name)
  const handover = new LogHandover({ log, turns, writes: topology.log.has('append'), clock, logger })
  await lifecycle.start({
    name: 'turn of the log',
    start: async () => {
      if (log.movedFrom !== undefined) await turns.giveUp(log.movedFrom)
      await handover.enter()
    },
    stop: () => handover.leave(),
  })
  return handover
}

/** One for each tenant, derived from the installation's. */
function signingSecrets(base: Uint8Array): (tenant: string) => Uint8Array {
  const known = new Map<string, Uint8Array>()
  return (tenant) => {
    let secret = known.get(tenant)
    if (!secret) {
      secret = createHmac('sha256', base).update(tenant).digest()
      if (known.size >= 10_000) known.clear()
      known.set(tenant, secret)
    }
    return secret
  }
}

async function openRedis(config: Config, logger: Logger, lifecycle: Lifecycle): Promise<RedisNodes | undefined> {
  if (!config.REDIS_URLS) return undefined
  // Loaded where there is a Redis: its client takes time and memory.
  const { connectRedis } = await import('./engines/redis/driver.ts')
  const redis = connectRedis(config.REDIS_URLS, logger)
  await lifecycle.start({ name: 'Redis connections', start: async () => undefined, stop: async () => redis.close() })
  return redis
}

/** When one fails, the other is still waited for, so that what it started is stopped. */
async function startBoth<A, B>(lifecycle: Lifecycle, first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second])
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value]
  await lifecycle.stop()
  throw a.status === 'rejected' ? a.reason : (b as PromiseRejectedResult).reason
}

async function openPostgres(config: Config, clock: Clock, logger: Logger, lifecycle: Lifecycle, observed: Observed) {
  const { metrics } = observed
  const watch = new PostgresWatch(observed.health)
  let url = config.POSTGRES_URL
  let server: EmbeddedPostgres | undefined
  if (url === undefined) {
    const embedded = await startEmbeddedPostgres({
      dataDir: join(config.DATA_DIR, 'postgres'),
      logger,
      onExit: watch.ended,
    })
    await lifecycle.start({ name: 'Postgres', start: async () => undefined, stop: () => embedded.stop() })
    url = embedded.url
    server = embedded
  }
  await migratePostgres({ url }, join(migrations, 'postgres'))
  const admin = url
  const pools = new Map<string, Pool>()
  watchPools(pools, metrics)
  await lifecycle.start({
    name: 'Postgres pools',
    start: async () => undefined,
    stop: async () => {
      await Promise.all([...pools.values()].map((pool) => pool.close()))
    },
  })
  const asked = connectPostgres({ ...onlyAsked, url: moduleUrl(admin, 'edge') })
  pools.set('health', asked)
  watch.start(asked, { clock, own: server !== undefined })
  const connect = (schema: string, plans: Plans = 'each time'): Postgres => {
    const name = plans === 'each time' ? schema : `${schema} ${plans}`
    let pool = pools.get(name)
    if (!pool) {
      const idle = idleInTransactionMs[schema]
      pool = connectPostgres({
        url: moduleUrl(admin, schema),
        max: plans === 'each time' ? 6 : 2,
        applicationName: `splitstream ${name}`,
        poolName: name,
        plans,
        metrics,
        // The pool is the bulkhead.
        breaker: observed.breakers.get(`postgres ${name}`, Number.MAX_SAFE_INTEGER),
        ...(idle !== undefined && { idleInTransactionMs: idle }),
      })
      pools.set(name, pool)
    }
    return watch.over(pool, name)
  }
  return { connect, server }
}

function watchPools(pools: ReadonlyMap<string, Pool>, metrics: Metrics): void {
  const each = (read: (pool: Pool) => readonly [string, number][]) => () =>
    [...pools].flatMap(([name, pool]) =>
      read(pool).map(([state, n]) => {
        const labels = { 'db.client.connection.pool.name': name, 'db.client.connection.state': state }
        return [labels, n] as const
      }),
    )
  const open = each(({ connections: { used, idle } }) => [
    ['used', used],
    ['idle', idle],
  ])
  metrics.gauge('db.client.connection.count', 'Connections to Postgres', open, '{connection}')
  const waiting = each(({ connections }) => [['', connections.waiting]])
  const help = 'Callers that wait for a connection to Postgres'
  metrics.gauge('db.client.connection.pending_requests', help, waiting, '{request}')
}

async function openClickHouse(config: Config, clock: Clock, logger: Logger, lifecycle: Lifecycle, observed: Observed) {
  const watch = new ClickHouseWatch(observed.health)
  const embedded =
    config.CLICKHOUSE_URL === undefined
      ? await startEmbeddedClickHouse({
          dataDir: join(config.DATA_DIR, 'clickhouse'),
          maxMemoryBytes: config.CLICKHOUSE_MAX_MEMORY_BYTES,
          logger,
          onExit: watch.ended,
        })
      : undefined
  if (embedded) {
    await lifecycle.start({ name: 'ClickHouse', start: async () => undefined, stop: () => embedded.stop() })
    void tidyDetached(embedded, logger)
  }
  const servers = config.CLICKHOUSE_URL ?? { ...accessOf(embedded!), database }
  const driver = await openClickHouseServers({
    servers,
    cluster: config.CLICKHOUSE_CLUSTER,
    migrations: join(migrations, 'clickhouse'),
    clock,
    logger,
    ...observed,
  })
  await lifecycle.start({ name: 'ClickHouse connections', start: async () => undefined, stop: () => driver.close() })
  const ping = (signal: AbortSignal) => pingClickHouse(servers.origins, signal)
  return { driver: watch.over(driver, { clock, own: embedded !== undefined, ping }), embedded }
}

const accessOf = ({ url, username, password }: EmbeddedClickHouse) => ({ origins: [url], username, password })
