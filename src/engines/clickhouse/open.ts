import {
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type Clock,
  type Health,
  type Logger,
  type Metrics,
  systemCall,
  type Tracer,
} from '@splitstream/kernel'
import { connectClickHouse } from './client.ts'
import { checkReplica } from './cluster/check-replica.ts'
import { cloneSchema } from './cluster/clone-schema.ts'
import { Cluster } from './cluster/cluster.ts'
import { catchUp, Replica } from './cluster/replica.ts'
import { replicated } from './cluster/replicated-ddl.ts'
import { migrateClickHouse } from './migrate.ts'
import { pingClickHouse } from './ping.ts'
import { checkProfile, checkTables, checkVersion, explained } from './server-checks.ts'
import type { ClickHouseServers } from './urls.ts'

type Driver = ClickHouse & { close(): Promise<void> }

export interface OpenOptions {
  readonly servers: ClickHouseServers
  /** Name of the cluster whose replicas the servers are; undefined for one server. */
  readonly cluster: string | undefined
  /** Folder of migrations. */
  readonly migrations: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** Where it is told how replicas are. */
  readonly health?: { add(source: { part: string; read(): Health }): void }
}

/** Replicated tables that the migrations make. */
const replicatedTables = ['events']
const openMs = 60_000

/**
 * Checks servers of ClickHouse that are not ours, and brings their schema up to date.
 * @throws AppError CONFIG_INVALID saying what to change, UNAVAILABLE when none answers
 */
export async function openClickHouseServers(o: OpenOptions): Promise<Driver> {
  if (o.cluster !== undefined) return await openCluster(o, o.cluster)
  const [origin = ''] = o.servers.origins
  const driver = connect(o, origin)
  try {
    const call = systemCall(o.clock, openMs, new AbortController().signal)
    await prepareServer(o, origin, driver, call, async () => {
      await migrateClickHouse(driver, o.migrations)
    })
    return driver
  } catch (error) {
    await driver.close()
    throw error
  }
}

async function openCluster(o: OpenOptions, cluster: string): Promise<Driver> {
  const { origins } = o.servers
  const drivers = new Map(origins.map((origin) => [origin, connect(o, origin)]))
  const names = new Map<string, string>()
  const replicas = origins.map((origin) => {
    const driver = drivers.get(origin)!
    const others = [...drivers.values()].filter((other) => other !== driver)
    const name = hostOf(origin)
    const prepare = (call: Call): Promise<void> =>
      prepareServer(o, origin, driver, call, async () => {
        const replica = await checkReplica(driver, name, { cluster, named: origins.length }, call)
        names.set(origin, replica)
        const twin = origins.find((other) => other !== origin && names.get(other) === replica)
        if (twin !== undefined) throw sameReplica(name, hostOf(twin), replica)
        const applied = await cloneSchema(driver, others, call, o.clock)
        await migrateClickHouse(driver, o.migrations, { rewrite: replicated, applied, signal: call.signal })
        for (const table of replicatedTables) await driver.command({ sql: catchUp(table, 'PULL') }, call)
      })
    const ping = (signal: AbortSignal) => pingClickHouse([origin], signal)
    return new Replica({ name, driver, clock: o.clock, prepare, ping, tables: replicatedTables })
  })
  const quorum = Math.floor(origins.length / 2) + 1
  const driver = new Cluster({ ...o, replicas, quorum })
  o.health?.add({ part: 'clickhouse', read: () => driver.health() })
  try {
    await driver.start()
    return driver
  } catch (error) {
    await driver.close()
    throw error
  }
}

/** Checks that hold for any server, its database, and then `schema`. All that the user has to be granted is done here once. */
async function prepareServer(
  o: OpenOptions,
  origin: string,
  driver: Driver,
  call: Call,
  schema: () => Promise<void>,
): Promise<void> {
  const name = hostOf(origin)
  const { database } = o.servers
  const bare = connect(o, origin, 'default')
  try {
    await checkVersion(bare, name, call)
    await checkProfile(bare, name, call)
    await bare.command({ sql: 'CREATE DATABASE IF NOT EXISTS {database:Identifier}', params: { database } }, call)
    await checkTables(driver, { name, cluster: o.cluster }, call)
    await schema()
  } catch (error) {
    throw explainedHere(error, name, o.cluster)
  } finally {
    await bare.close()
  }
}

function explainedHere(error: unknown, name: string, cluster: string | undefined): unknown {
  if (cluster !== undefined && error instanceof ClickHouseError && error.number === 225) {
    const message = `ClickHouse ${name} has no Keeper: add <zookeeper> to its configuration, or unset CLICKHOUSE_CLUSTER`
    return new AppError('CONFIG_INVALID', message, { cause: error })
  }
  return explained(error, name)
}

const connect = ({ servers, clock, metrics, tracer }: OpenOptions, url: string, database?: string): Driver =>
  connectClickHouse({ ...servers, url, database: database ?? servers.database }, clock, { metrics, tracer })

const hostOf = (origin: string): string => new URL(origin).host

function sameReplica(one: string, other: string, replica: string): AppError {
  return new AppError(
    'CONFIG_INVALID',
    `${one} and ${other} of CLICKHOUSE_URL are the same replica (${replica}): name each replica once, and no load balancer`,
  )
}
