import { type Call, type ClickHouse, type Clock, systemCall } from '@splitstream/kernel'
import { migrationsTable } from '../server-checks.ts'

/** One of the others that hangs must not take the time of all, ms. */
const askMs = 5_000

interface Schema {
  readonly tables: readonly string[]
  readonly records: readonly { readonly file: string; readonly checksum: string }[]
}

/**
 * Gives a new replica the tables of another one as they are now. The migrations from the first on would not do: Keeper refuses
 * a replica whose columns are those of long ago. Nothing happens when this one has a record of migrations, or no other has.
 * @returns what migrations count as applied
 */
export async function cloneSchema(
  server: ClickHouse,
  others: readonly ClickHouse[],
  call: Call,
  clock: Clock,
): Promise<Schema['records']> {
  if ((await recordsOf(server, call)).length > 0) return []
  for (const other of others) {
    const schema = await schemaOf(other, systemCall(clock, askMs, call.signal)).catch(() => undefined)
    if (!schema || schema.records.length === 0) continue
    for (const table of schema.tables) await server.command({ sql: table }, call)
    return schema.records
  }
  return []
}

async function schemaOf(server: ClickHouse, call: Call): Promise<Schema> {
  const records = await recordsOf(server, call)
  const sql = `SELECT name, create_table_query AS sql FROM system.tables
               WHERE database = currentDatabase() AND engine LIKE 'Replicated%MergeTree' ORDER BY name`
  const rows = await server.rows<{ name: string; sql: string }>({ sql }, call)
  // The name that follows is qualified with the database, which is the same on all replicas.
  return { records, tables: rows.map((row) => row.sql.replace(/^CREATE TABLE /, 'CREATE TABLE IF NOT EXISTS ')) }
}

async function recordsOf(server: ClickHouse, call: Call): Promise<Schema['records']> {
  const there = await server.rows(
    {
      sql: 'SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {record:String}',
      params: { record: migrationsTable },
    },
    call,
  )
  if (there.length === 0) return []
  const sql = `SELECT file, any(checksum) AS checksum FROM ${migrationsTable} GROUP BY file`
  return await server.rows<{ file: string; checksum: string }>({ sql }, call)
}
