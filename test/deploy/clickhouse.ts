import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run } from './run.ts'

const folder = join(root, 'deploy/split/clickhouse')
const env = { REPLICA: 'clickhouse-2', CLICKHOUSE_USER: 'user', CLICKHOUSE_PASSWORD: 'secret', SERVER_ID: '2' }
const reader = join(root, 'test/deploy/clickhouse-engine.ts')

/** ClickHouse's own parser reads the files, and the engine makes of them the cluster that Splitstream is told of. */
export async function checkClickHouse(): Promise<void> {
  const hosts = `(SELECT groupArray(host_name) FROM system.clusters WHERE cluster = 'splitstream') AS hosts`
  const users = `(SELECT groupUniqArray(user) FROM system.clusters WHERE cluster = 'splitstream') AS users`
  const macros = `(SELECT groupArray(macro || '=' || substitution) FROM system.macros) AS macros`
  const found = await ask('cluster.xml', `SELECT ${hosts}, ${users}, ${macros}`)
  const expected = {
    hosts: ['clickhouse-1', 'clickhouse-2', 'clickhouse-3'],
    users: ['user'],
    macros: ['replica=clickhouse-2', 'shard=1'],
  }
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`cluster.xml: the engine makes ${JSON.stringify(found)} of it`)
  // Of Keeper's the engine knows nothing but how it is written.
  await ask('keeper.xml', 'SELECT 1 AS read')
}

async function ask(file: string, sql: string): Promise<object> {
  const scratch = await mkdtemp(join(tmpdir(), 'splitstream-clickhouse-'))
  try {
    return JSON.parse(await run(process.execPath, [reader, join(folder, file), scratch, sql], { env })) as object
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
