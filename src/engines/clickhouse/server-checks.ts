import { AppError, type Call, type ClickHouse, ClickHouseError } from '@splitstream/kernel'

/** The first release with all that the events table and its inserts need, of those that get fixes (LTS). */
const oldest = [25, 8] as const

/** The record of migrations: each server has its own. */
export const migrationsTable = 'splitstream_migrations'

/** @throws AppError CONFIG_INVALID for a server that is too old */
export async function checkVersion(server: ClickHouse, name: string, call: Call): Promise<void> {
  const [row] = await server.rows<{ version: string }>({ sql: 'SELECT version() AS version' }, call)
  const [major = 0, minor = 0] = (row?.version ?? '').split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new AppError(
    'CONFIG_INVALID',
    `ClickHouse ${name} is version ${row?.version}: ${oldest.join('.')} or newer is needed. Upgrade it, or set CLICKHOUSE_URL to another server`,
  )
}

/**
 * The tables have to be what the setting says: without quorum and Keeper's tokens, replicas lose and double events; and a plain
 * table on one of several servers is a database of its own.
 * @throws AppError CONFIG_INVALID
 */
export async function checkTables(
  server: ClickHouse,
  o: { readonly name: string; readonly cluster: string | undefined },
  call: Call,
): Promise<void> {
  const tables = await server.rows<{ name: string; engine: string; engine_full: string }>(
    {
      sql: `SELECT name, engine, engine_full FROM system.tables
            WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != {record:String}`,
      params: { record: migrationsTable },
    },
    call,
  )
  for (const { name, engine, engine_full: full } of tables) {
    const isReplicated = engine.startsWith('Replicated')
    if (isReplicated && o.cluster === undefined) {
      throw invalid(
        `The table ${name} on ${o.name} is replicated (${engine}): set CLICKHOUSE_CLUSTER to the name of its cluster, and name all replicas in CLICKHOUSE_URL`,
      )
    }
    // SharedMergeTree replicates in its own way, behind one address.
    if (!isReplicated && o.cluster !== undefined) {
      throw invalid(
        `The table ${name} on ${o.name} is not replicated (${engine}), and CLICKHOUSE_CLUSTER=${o.cluster} is set: unset it, or move the table as docs/clickhouse.md says`,
      )
    }
    const window = /deduplication_window\s*=\s*(\d+)/.exec(full)?.[1]
    if (window !== undefined && Number(window) < 1_000) {
      throw invalid(
        `The table ${name} on ${o.name} remembers ${window} inserts: events would double when an insert is repeated. Set its deduplication window to 10000 (ALTER TABLE ${name} MODIFY SETTING)`,
      )
    }
  }
}

/** Settings that a profile may have, that our statements cannot set on every version, and with which events double or are lost. */
const profile: Readonly<Record<string, RegExp>> = {
  // Inserts of several blocks are not all there or not.
  max_insert_block_size_bytes: /^0$/,
  use_strict_insert_block_limits: /^0$/,
  // Tokens would say nothing.
  deduplicate_insert: /^(?!disable)/,
}

/** @throws AppError CONFIG_INVALID when the profile of the user has a setting that our inserts cannot do with */
export async function checkProfile(server: ClickHouse, name: string, call: Call): Promise<void> {
  const params = { names: Object.keys(profile) }
  const sql = 'SELECT name AS setting, value FROM system.settings WHERE name IN {names:Array(String)}'
  const rows = await server.rows<{ setting: string; value: string }>({ sql, params }, call)
  const bad = rows.filter(({ setting, value }) => !profile[setting]!.test(value))
  if (bad.length === 0) return
  const list = bad.map(({ setting, value }) => `${setting} = ${value}`).join(', ')
  throw invalid(
    `The profile of the user of CLICKHOUSE_URL on ${name} has ${list}: leave it at its default for this user`,
  )
}

/** What a server says that cannot serve as it is set up, in terms of what to change; other errors as they are. */
export function explained(error: unknown, name: string): unknown {
  if (!(error instanceof ClickHouseError)) return error
  const { number } = error
  if (number === 497)
    return invalid(`ClickHouse ${name} does not let the user of CLICKHOUSE_URL do it: ${error.message}`)
  if (number === 516 || number === 192) {
    return invalid(`ClickHouse ${name} does not know the user of CLICKHOUSE_URL, or the password is another one`)
  }
  if (number === 164) return invalid(`The user of CLICKHOUSE_URL may only read on ${name}: its profile has readonly`)
  return error
}

const invalid = (message: string): AppError => new AppError('CONFIG_INVALID', message)
