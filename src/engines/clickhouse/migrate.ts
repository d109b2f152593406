import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, type Call, type ClickHouse, ClickHouseError, systemCall, systemClock } from '@splitstream/kernel'
import { migrationsTable } from './server-checks.ts'

interface Migration {
  /** `module/NNNN_name.sql` */
  readonly file: string
  readonly sql: string
  readonly checksum: string
}

const budgetMs = 120_000

export interface MigrateOptions {
  /** What is run in place of a statement: replicas have other engines. */
  readonly rewrite?: (statement: string) => string
  /** Migrations that were applied in another way, and are recorded now. */
  readonly applied?: readonly { readonly file: string; readonly checksum: string }[]
  /** Ends it. */
  readonly signal?: AbortSignal
}

/**
 * Brings the connection's database to the state of `dir`: every `dir/<module>/NNNN_name.sql` that was not applied yet, in
 * order, each then recorded with its checksum. ClickHouse has no transactions over DDL, so every statement must be safe to
 * run again (IF NOT EXISTS): a migration that was cut off is repeated from its start. One runner at a time. Statements end
 * with `;` at the end of a line. Records of a newer version of Splitstream are left alone.
 *
 * @returns the files applied by this call.
 * @throws AppError CONFIG_INVALID when an applied file was changed, a name or number is wrong or comes too late, or a
 * migration failed; UNAVAILABLE when ClickHouse is away.
 */
export async function migrateClickHouse(
  clickhouse: ClickHouse,
  dir: string,
  o: MigrateOptions = {},
): Promise<{ applied: string[] }> {
  const call = systemCall(systemClock, budgetMs, o.signal ?? AbortSignal.timeout(budgetMs))
  const wanted = await readMigrations(dir)
  await clickhouse.command(
    {
      sql: `CREATE TABLE IF NOT EXISTS ${migrationsTable} (file String, checksum String, applied_at DateTime64(3, 'UTC'))
            ENGINE = MergeTree ORDER BY file SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
    },
    call,
  )
  for (const one of o.applied ?? []) await record(clickhouse, one, call)
  const sql = `SELECT file, any(checksum) AS checksum FROM ${migrationsTable} GROUP BY file`
  const rows = await clickhouse.rows<{ file: string; checksum: string }>({ sql }, call)
  const done = new Map(rows.map((row) => [row.file, row.checksum]))
  const missing = wanted.filter((migration) => !isDone(migration, done))
  for (const migration of missing) await apply(clickhouse, migration, o.rewrite ?? ((same) => same), call)
  return { applied: missing.map(({ file }) => file) }
}

function isDone({ file, checksum }: Migration, done: ReadonlyMap<string, string>): boolean {
  const found = done.get(file)
  if (found === checksum) return true
  if (found !== undefined) {
    throw new AppError('CONFIG_INVALID', `Migration ${file} was changed after it was applied: add a new one`)
  }
  const module = file.slice(0, file.indexOf('/') + 1)
  const later = [...done.keys()].find((other) => other.startsWith(module) && other > file)
  if (later === undefined) return false
  throw new AppError(
    'CONFIG_INVALID',
    `Migration ${file} comes too late: ${later} is applied already. Give it the next number`,
  )
}

async function apply(
  clickhouse: ClickHouse,
  migration: Migration,
  rewrite: (statement: string) => string,
  call: Call,
): Promise<void> {
  const { file, sql } = migration
  try {
    for (const statement of statements(sql)) await clickhouse.command({ sql: rewrite(statement) }, call)
  } catch (error) {
    // What passes is no fault of the migration: a server that is read-only or has lost its Keeper.
    if (error instanceof AppError || (error instanceof ClickHouseError && error.retryable)) throw error
    throw new AppError('CONFIG_INVALID', `Migration ${file} failed: ${(error as Error).message}`, { cause: error })
  }
  await record(clickhouse, migration, call)
}

async function record(
  clickhouse: ClickHouse,
  { file, checksum }: Pick<Migration, 'file' | 'checksum'>,
  call: Call,
): Promise<void> {
  const row = { file, checksum, applied_at: systemClock.now() / 1000 }
  await clickhouse.insert(
    {
      table: migrationsTable,
      columns: ['file', 'checksum', 'applied_at'],
      format: 'JSONEachRow',
      body: Buffer.from(JSON.stringify({ ...row, applied_at: row.applied_at.toFixed(3) })),
    },
    call,
  )
}

/** Without comment lines; a statement ends with `;` at the end of a line. */
function statements(sql: string): string[] {
  const text = sql.replace(/^\s*--.*$/gm, '')
  return text
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const found: Migration[] = []
  for (const folder of await readdir(dir, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue
    for (const name of await readdir(join(dir, folder.name))) {
      const file = `${folder.name}/${name}`
      if (!/^\d{4}_[a-z0-9_]+\.sql$/.test(name) || name.startsWith('0000')) {
        throw new AppError('CONFIG_INVALID', `Migration ${file} is not named NNNN_name.sql, from 0001 on`)
      }
      // A checkout with other line ends is the same migration.
      const sql = (await readFile(join(dir, file), 'utf8')).replaceAll('\r\n', '\n')
      found.push({ file, sql, checksum: createHash('sha256').update(sql).digest('hex') })
    }
  }
  found.sort((a, b) => (a.file < b.file ? -1 : 1))
  for (const [i, { file }] of found.entries()) {
    const before = found[i - 1]?.file
    if (before !== undefined && before.slice(0, before.indexOf('/') + 5) === file.slice(0, file.indexOf('/') + 5)) {
      throw new AppError('CONFIG_INVALID', `Migrations ${before} and ${file} have the same number`)
    }
  }
  return found
}
