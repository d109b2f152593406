import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ClickHouse, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectClickHouse } from './client.ts'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded.ts'
import { migrateClickHouse } from './migrate.ts'

let dir: string
let engine: EmbeddedClickHouse
let clickhouse: ClickHouse & { close(): Promise<void> }
let migrations: string
let database = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-migrate-'))
  engine = await startEmbeddedClickHouse({ dataDir: dir, logger: silentLogger })
}, 60_000)

afterAll(async () => {
  await engine?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Each test has a database and a folder of its own. */
beforeEach(async () => {
  const name = `test${++database}`
  const admin = connectClickHouse({ ...engine, database: 'default' })
  await admin.command({ sql: `CREATE DATABASE ${name}` }, call())
  await admin.close()
  clickhouse = connectClickHouse({ ...engine, database: name })
  migrations = join(dir, name)
  return () => clickhouse.close()
})

const call = () => systemCall(systemClock, 10_000, new AbortController().signal)

async function write(file: string, sql: string): Promise<void> {
  await mkdir(dirname(join(migrations, file)), { recursive: true })
  await writeFile(join(migrations, file), sql)
}

const tables = async (): Promise<string[]> => {
  const sql = 'SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name'
  const rows = await clickhouse.rows<{ name: string }>({ sql }, call())
  return rows.map(({ name }) => name).filter((name) => name !== 'splitstream_migrations')
}
const create = (name: string): string => `CREATE TABLE IF NOT EXISTS ${name} (a UInt8) ENGINE = MergeTree ORDER BY a;\n`

describe('migrateClickHouse', () => {
  it('applies every statement once, in order', async () => {
    await write('storage/0001_first.sql', `-- a comment; with a semicolon;\n${create('a')}\n${create('b')}`)
    await write('storage/0002_second.sql', 'ALTER TABLE a ADD COLUMN IF NOT EXISTS b String;')
    const applied = ['storage/0001_first.sql', 'storage/0002_second.sql']
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied })
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied: [] })
    expect(await tables()).toEqual(['a', 'b'])
    await write('storage/0003_third.sql', create('c'))
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied: ['storage/0003_third.sql'] })
    expect(await tables()).toEqual(['a', 'b', 'c'])
  })

  it('repeats a migration that was cut off', async () => {
    await write('storage/0001_first.sql', `${create('a')}\nSELEC 1;\n`)
    const failed = migrateClickHouse(clickhouse, migrations)
    await expect(failed).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('0001_first'),
    })
    await write('storage/0001_first.sql', `${create('a')}\n${create('b')}`)
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied: ['storage/0001_first.sql'] })
    expect(await tables()).toEqual(['a', 'b'])
  })

  it('refuses a change of what was applied, a late number, a number twice, and other names', async () => {
    await write('storage/0002_first.sql', create('a'))
    await migrateClickHouse(clickhouse, migrations)
    await write('storage/0002_first.sql', create('a').replaceAll('\n', '\r\n'))
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied: [] })
    const refused = async (words: string): Promise<void> => {
      const result = migrateClickHouse(clickhouse, migrations)
      await expect(result).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(words) })
    }
    await write('storage/0001_late.sql', create('z'))
    await refused('too late')
    await rm(join(migrations, 'storage/0001_late.sql'))
    await write('storage/0002_again.sql', create('z'))
    await refused('same number')
    await rm(join(migrations, 'storage/0002_again.sql'))
    await write('storage/3-third.sql', create('z'))
    await refused('NNNN_name.sql')
    await rm(join(migrations, 'storage/3-third.sql'))
    await write('storage/0002_first.sql', create('b'))
    await refused('was changed')
    expect(await tables()).toEqual(['a'])
  })

  it('leaves records of a newer version alone', async () => {
    await write('storage/0001_first.sql', create('a'))
    await write('storage/0002_newer.sql', create('b'))
    await migrateClickHouse(clickhouse, migrations)
    await rm(join(migrations, 'storage/0002_newer.sql'))
    expect(await migrateClickHouse(clickhouse, migrations)).toEqual({ applied: [] })
  })
})
