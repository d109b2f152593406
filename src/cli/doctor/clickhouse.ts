import { AppError, messageOf, systemCall, systemClock } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { connectClickHouse } from '../../engines/clickhouse/client.ts'
import { checkTables, checkVersion, explained } from '../../engines/clickhouse/server-checks.ts'
import type { ClickHouseServers } from '../../engines/clickhouse/urls.ts'
import type { Topology } from '../../topology.ts'
import { type Check, checkMs, type Finding, fail, ok, warn } from './check.ts'
import { skewOf } from './clock.ts'
import { bytes, ms } from './units.ts'

/** Each external server, with the checks that a start makes; the embedded one is as it has to be. */
export function clickHouseChecks(config: Config, topology: Topology): Check[] {
  const servers = config.CLICKHOUSE_URL
  if (servers === undefined || !topology.engines.has('clickhouse')) return []
  return servers.origins.map((origin) => ({
    name: servers.origins.length === 1 ? 'ClickHouse' : `ClickHouse ${new URL(origin).host}`,
    run: (signal) => checkServer(origin, servers, config, signal),
  }))
}

interface Server {
  readonly version: string
  readonly now: string
  readonly free: string
  readonly known: number
}

async function checkServer(
  origin: string,
  { username, password, database }: ClickHouseServers,
  config: Config,
  signal: AbortSignal,
): Promise<Finding> {
  const { host } = new URL(origin)
  const access = { url: origin, username, password }
  const bare = connectClickHouse({ ...access, database: 'default' }, systemClock)
  const own = connectClickHouse({ ...access, database }, systemClock)
  const call = systemCall(systemClock, checkMs - 500, signal)
  try {
    await bare.rows({ sql: 'SELECT 1' }, call)
    const from = performance.now()
    const sql = `SELECT version() AS version, toString(toUnixTimestamp64Milli(now64(3))) AS now,
                        (SELECT toString(min(unreserved_space)) FROM system.disks) AS free,
                        (SELECT count() FROM system.databases WHERE name = {database:String}) AS known`
    const [server] = await bare.rows<Server>({ sql, params: { database } }, call)
    const took = performance.now() - from
    await checkVersion(bare, host, call)
    if (Number(server!.known) > 0) await checkTables(own, { name: host, cluster: config.CLICKHOUSE_CLUSTER }, call)
    return judge(server!, took, config)
  } catch (error) {
    const why = explained(error, host)
    if (why instanceof AppError && why.code === 'CONFIG_INVALID') return fail(host, messageOf(why))
    return fail(messageOf(why), 'CLICKHOUSE_URL leads nowhere, or its name or password is wrong')
  } finally {
    void bare.close()
    void own.close()
  }
}

function judge({ version, now, free }: Server, took: number, { MIN_FREE_BYTES }: Config): Finding {
  const found = `version ${version}, round trip ${ms(took)}, ${bytes(Number(free))} free`
  if (Number(free) < MIN_FREE_BYTES)
    return warn(found, 'its disk is nearly full, and events will wait in the log: make room')
  const skew = skewOf(Number(now), took)
  return skew === undefined ? ok(found) : warn(found, skew)
}
