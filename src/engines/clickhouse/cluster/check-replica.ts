import { AppError, type Call, type ClickHouse, ClickHouseError } from '@splitstream/kernel'

export interface ClusterFacts {
  readonly cluster: string
  /** Replicas that CLICKHOUSE_URL names. */
  readonly named: number
}

/**
 * Whether the server is set up as a replica of the cluster.
 * @returns the name of the replica in Keeper
 * @throws AppError CONFIG_INVALID saying what to change
 */
export async function checkReplica(server: ClickHouse, name: string, o: ClusterFacts, call: Call): Promise<string> {
  const replica = await macros(server, name, call)
  await checkCluster(server, name, o, call)
  const sql = 'SELECT engine FROM system.databases WHERE name = currentDatabase()'
  const [database] = await server.rows<{ engine: string }>({ sql }, call)
  if (database?.engine === 'Replicated') {
    throw invalid(
      `The database on ${name} has the engine Replicated, which makes replicated tables in its own way: name a database of the engine Atomic in CLICKHOUSE_URL`,
    )
  }
  return replica
}

async function macros(server: ClickHouse, name: string, call: Call): Promise<string> {
  try {
    const sql = "SELECT getMacro('shard') AS shard, getMacro('replica') AS replica"
    const [row] = await server.rows<{ shard: string; replica: string }>({ sql }, call)
    return row!.replica
  } catch (error) {
    if (!(error instanceof ClickHouseError) || error.number !== 139) throw error
    throw invalid(
      `ClickHouse ${name} lacks the macros shard and replica, by which the replicas of a table find each other: add <macros> to its configuration`,
    )
  }
}

async function checkCluster(server: ClickHouse, name: string, o: ClusterFacts, call: Call): Promise<void> {
  const [row] = await server.rows<{ shards: string; replicas: string }>(
    {
      sql: 'SELECT uniqExact(shard_num) AS shards, count() AS replicas FROM system.clusters WHERE cluster = {cluster:String}',
      params: { cluster: o.cluster },
    },
    call,
  )
  const [shards, replicas] = [Number(row?.shards), Number(row?.replicas)]
  if (replicas === 0) {
    throw invalid(`ClickHouse ${name} knows no cluster ${o.cluster}: set CLICKHOUSE_CLUSTER to one of system.clusters`)
  }
  if (shards > 1) {
    throw invalid(
      `The cluster ${o.cluster} has ${shards} shards, and Splitstream keeps all events in one: set CLICKHOUSE_CLUSTER to a cluster of one shard`,
    )
  }
  if (replicas !== o.named) {
    throw invalid(
      `The cluster ${o.cluster} has ${replicas} replicas, and CLICKHOUSE_URL names ${o.named}: name each of them, as a replica that is not asked is not waited for either`,
    )
  }
}

const invalid = (message: string): AppError => new AppError('CONFIG_INVALID', message)
