import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '@splitstream/kernel'
import pg from 'pg'
import { endClient } from './end-client.ts'
import { toAppError } from './errors.ts'
import { ensureRoles, MODULE_SCHEMAS, roleOf } from './roles.ts'

export { moduleUrl } from './roles.ts'

interface Migration {
  readonly schema: string
  readonly number: number
  /** `schema/NNNN_name.sql` */
  readonly file: string
  readonly sql: string
  readonly checksum: string
}

/** Any number will do, as long as all processes use the same. */
const LOCK = 7_308_604_091
const LOCK_WAIT_MS = 60_000
/** How long a runner may stand still: it was frozen, or its host is gone, and all others wait for it. */
const IDLE_MS = 10_000

/**
 * Brings the database to the state of `dir`: roles and schemas, then every `dir/<schema>/NNNN_name.sql` that was not
 * applied yet, in order, each in one transaction with its record in `splitstream.migrations`, as the role of its module
 * (so a migration cannot reach into another module's schema either). Runners that come at once take turns. A statement
 * that cannot run in a transaction is not supported. Rows of a newer version of Splitstream are left alone.
 *
 * @returns the files applied by this call.
 * @throws AppError CONFIG_INVALID when an applied file was changed or is missing, a number came too late or twice, a
 * migration failed (nothing of it stays), or the admin may not do this; UNAVAILABLE when Postgres is away.
 */
export async function migratePostgres(admin: { url: string }, dir: string): Promise<{ applied: string[] }> {
  const wanted = await readMigrations(dir)
  const client = new pg.Client({
    connectionString: admin.url,
    application_name: 'splitstream migrations',
    connectionTimeoutMillis: 10_000,
  })
  client.on('error', () => {}) // The running statement reports a lost connection.
  try {
    await client.connect()
    // The lock is the session's: it goes when the connection ends, however it ends. A statement that runs is not idle.
    await client.query(`SET idle_session_timeout = ${IDLE_MS}; SET idle_in_transaction_session_timeout = ${IDLE_MS}`)
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS}`)
    await client.query('SELECT pg_advisory_lock($1)', [LOCK])
    await client.query('BEGIN')
    await ensureRoles(client, admin.url)
    await ensureTable(client)
    await client.query('COMMIT')
    return { applied: await applyMissing(client, wanted) }
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '42501') {
      const hint = `The POSTGRES_URL user may not do what the start needs (CREATE on the database, CREATEROLE): ${error.message}`
      throw new AppError('CONFIG_INVALID', hint, { cause: error })
    }
    throw toAppError(error)
  } finally {
    await endClient(client)
  }
}

async function ensureTable(client: pg.Client): Promise<void> {
  await client.query('CREATE SCHEMA IF NOT EXISTS splitstream')
  await client.query(
    `CREATE TABLE IF NOT EXISTS splitstream.migrations (
      schema text NOT NULL,
      number integer NOT NULL,
      file text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (schema, number)
    )`,
  )
}

async function applyMissing(client: pg.Client, wanted: readonly Migration[]): Promise<string[]> {
  const { rows } = await client.query<{ schema: string; number: number; file: string; checksum: string }>(
    'SELECT schema, number, file, checksum FROM splitstream.migrations ORDER BY schema, number',
  )
  const applied: string[] = []
  for (const schema of MODULE_SCHEMAS) {
    const files = wanted.filter((migration) => migration.schema === schema)
    const done = rows.filter((row) => row.schema === schema)
    compare(files, done)
    for (const migration of files.slice(done.filter((row) => row.number <= lastOf(files)).length)) {
      await apply(client, migration)
      applied.push(migration.file)
    }
  }
  return applied
}

/** What was applied must be a prefix of what is there, byte for byte. */
function compare(
  files: readonly Migration[],
  done: readonly { number: number; file: string; checksum: string }[],
): void {
  for (const [index, row] of done.entries()) {
    if (row.number > lastOf(files)) return
    const migration = files[index]
    if (migration?.number !== row.number) {
      const late = migration && migration.number < row.number
      throw new AppError(
        'CONFIG_INVALID',
        late
          ? `Migration ${migration.file} comes too late: ${row.file} is applied already. Give it the next number`
          : `Migration ${row.file} is applied, but its file is missing`,
      )
    }
    if (migration.checksum !== row.checksum) {
      throw new AppError(
        'CONFIG_INVALID',
        `Migration ${migration.file} was changed after it was applied: add a new one`,
      )
    }
  }
}

function lastOf(files: readonly Migration[]): number {
  return files.at(-1)?.number ?? 0
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL ROLE ${roleOf(migration.schema)}`)
    await client.query(`SET LOCAL search_path = ${migration.schema}`)
    await client.query(migration.sql)
    await client.query('RESET ROLE')
    await client.query('INSERT INTO splitstream.migrations (schema, number, file, checksum) VALUES ($1, $2, $3, $4)', [
      migration.schema,
      migration.number,
      migration.file,
      migration.checksum,
    ])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    const mapped = toAppError(error)
    if (mapped.code !== 'INTERNAL') throw mapped
    throw new AppError('CONFIG_INVALID', `Migration ${migration.file} failed: ${messageOf(error)}`, { cause: error })
  }
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const found: Migration[] = []
  for (const folder of await readdir(dir, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue
    if (!MODULE_SCHEMAS.some((known) => known === folder.name)) {
      throw new AppError('CONFIG_INVALID', `Migrations for ${folder.name}: there is no such module`)
    }
    for (const name of await readdir(join(dir, folder.name))) found.push(await readMigration(dir, folder.name, name))
  }
  found.sort((a, b) => (a.schema === b.schema ? a.number - b.number : a.schema < b.schema ? -1 : 1))
  for (const [index, migration] of found.entries()) {
    const before = found[index - 1]
    if (before?.schema === migration.schema && before.number === migration.number) {
      throw new AppError('CONFIG_INVALID', `Migrations ${before.file} and ${migration.file} have the same number`)
    }
  }
  return found
}

async function readMigration(dir: string, schema: string, name: string): Promise<Migration> {
  const file = `${schema}/${name}`
  const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1])
  if (!(number > 0)) throw new AppError('CONFIG_INVALID', `Migration ${file} is not named NNNN_name.sql, from 0001 on`)
  // A checkout with other line ends is the same migration.
  const sql = (await readFile(join(dir, schema, name), 'utf8')).replaceAll('\r\n', '\n')
  return { schema, number, file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
}
