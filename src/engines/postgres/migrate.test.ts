import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connectPostgres } from './driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { startFreezingGate } from './freezing-gate.fixture.ts'
import { migratePostgres, moduleUrl } from './migrate.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

let folder: string
let server: EmbeddedPostgres
let url: string
let dir: string
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-pg-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
})

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A database and a folder of files for each test. */
beforeEach(async () => {
  const name = `test_${++count}`
  await ask(server.url, `CREATE DATABASE ${name}`)
  url = server.url.replace(/[^/]+$/, name)
  dir = join(folder, name)
  await file('storage/0001_first.sql', 'CREATE TABLE secret (n integer); INSERT INTO secret VALUES (42)')
  await file('storage/0002_second.sql', 'ALTER TABLE secret ADD COLUMN note text')
  await file('sagas/0001_first.sql', 'CREATE TABLE saga (id bigserial PRIMARY KEY)')
})

async function file(name: string, sql: string): Promise<void> {
  await mkdir(dirname(join(dir, name)), { recursive: true })
  await writeFile(join(dir, name), sql)
}

async function ask(at: string, sql: string): Promise<unknown[]> {
  const db = connectPostgres({ url: at, applicationName: 'migrate test', max: 1 })
  try {
    return await db.query(sql)
  } finally {
    await db.close()
  }
}

describe('migratePostgres', () => {
  it('applies each file once, in order, and later ones later', async () => {
    const { applied } = await migratePostgres({ url }, dir)
    expect(applied.toSorted()).toEqual(['sagas/0001_first.sql', 'storage/0001_first.sql', 'storage/0002_second.sql'])
    expect(await migratePostgres({ url }, dir)).toEqual({ applied: [] })
    await file('storage/0003_third.sql', 'CREATE INDEX ON secret (n)')
    expect(await migratePostgres({ url }, dir)).toEqual({ applied: ['storage/0003_third.sql'] })
    expect(await ask(moduleUrl(url, 'storage'), 'SELECT n, note FROM secret')).toEqual([{ n: 42, note: null }])
  })

  it('is applied once by runners that come at the same time', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map(() => migratePostgres({ url }, dir)))
    expect(runs.flatMap(({ applied }) => applied)).toHaveLength(3)
  })

  it.each([
    ['when it has the lock', 'BEGIN'],
    ['while it makes what all need', 'CREATE TABLE IF NOT EXISTS splitstream.migrations'],
    ['between two transactions', 'SELECT schema, number'],
    ['within a migration', 'INSERT INTO splitstream.migrations'],
  ])('a runner that freezes %s keeps no other from its start for long', async (_, text) => {
    const gate = await startFreezingGate(url)
    gate.freezeBefore(text)
    const frozen = migratePostgres({ url: gate.url }, dir).catch(() => undefined)
    await expect.poll(() => gate.isFrozen, { timeout: 10_000 }).toBe(true)
    const from = performance.now()
    expect((await migratePostgres({ url }, dir)).applied).toHaveLength(3)
    expect(performance.now() - from).toBeLessThan(15_000)
    await gate.stop()
    await frozen
  })

  it('refuses a changed file, a missing one, one that comes too late, and a number used twice', async () => {
    await file('storage/0004_fourth.sql', 'SELECT 1')
    await migratePostgres({ url }, dir)
    const refused = async (message: RegExp) =>
      await expect(migratePostgres({ url }, dir)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message),
      })
    await file('storage/0003_late.sql', 'SELECT 1')
    await refused(/0003_late.sql comes too late/)
    await rm(join(dir, 'storage/0003_late.sql'))
    await file('storage/0001_first.sql', 'CREATE TABLE other (n integer)')
    await refused(/storage\/0001_first.sql was changed/)
    await rm(join(dir, 'storage/0001_first.sql'))
    await refused(/0001_first.sql is applied, but its file is missing/)
    await file('sagas/0001_again.sql', 'SELECT 1')
    await refused(/same number/)
  })

  it('takes a checkout with other line ends as unchanged, and leaves rows of a newer version alone', async () => {
    await file('query/0001_lines.sql', 'SELECT 1;\nSELECT 2;\n')
    await file('query/0002_newer.sql', 'SELECT 3')
    await migratePostgres({ url }, dir)
    await file('query/0001_lines.sql', 'SELECT 1;\r\nSELECT 2;\r\n')
    await rm(join(dir, 'query/0002_newer.sql'))
    expect(await migratePostgres({ url }, dir)).toEqual({ applied: [] })
  })

  it('leaves nothing of a file that fails', async () => {
    await file('sagas/0002_bad.sql', 'CREATE TABLE half (n integer); SELECT nonsense')
    await expect(migratePostgres({ url }, dir)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('sagas/0002_bad.sql failed'),
    })
    expect(await ask(url, `SELECT to_regclass('sagas.half') AS half`)).toEqual([{ half: null }])
    await file('sagas/0002_bad.sql', 'CREATE TABLE half (n integer)')
    expect(await migratePostgres({ url }, dir)).toEqual({ applied: ['sagas/0002_bad.sql'] })
  })
})

describe('module roles', () => {
  const denied = { code: 'INTERNAL', details: { sqlState: '42501' } }

  it('reach their own schema and no other', async () => {
    await migratePostgres({ url }, dir)
    await ask(moduleUrl(url, 'sagas'), 'INSERT INTO saga DEFAULT VALUES')
    await ask(moduleUrl(url, 'storage'), 'UPDATE secret SET n = 43')
    for (const schema of ['edge', 'ingest', 'sagas', 'query']) {
      const own = moduleUrl(url, schema)
      await expect(ask(own, 'SELECT * FROM storage.secret')).rejects.toMatchObject(denied)
      await expect(ask(own, 'CREATE TABLE storage.mine (n integer)')).rejects.toMatchObject(denied)
      await expect(ask(own, 'SELECT * FROM splitstream.migrations')).rejects.toMatchObject(denied)
      await expect(ask(own, 'SET ROLE splitstream_storage')).rejects.toMatchObject(denied)
    }
  })

  it('are what migrations run as', async () => {
    await file('query/0001_reach.sql', 'CREATE TABLE peek AS SELECT * FROM storage.secret')
    await file('ingest/0001_reach.sql', 'CREATE TABLE storage.peek (n integer)')
    await expect(migratePostgres({ url }, dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('can be made by an admin who is no superuser', async () => {
    // Roles belong to the whole server: this admin gets those of another test only when made by a superuser.
    const name = new URL(url).pathname.slice(1)
    await ask(server.url, `CREATE ROLE admin_${count} LOGIN CREATEROLE PASSWORD 'p%40ss'`)
    await ask(server.url, `ALTER DATABASE ${name} OWNER TO admin_${count}`)
    for (const schema of ['edge', 'ingest', 'storage', 'sagas', 'query']) {
      await ask(
        server.url,
        `DO $$ BEGIN CREATE ROLE splitstream_${schema}; EXCEPTION WHEN duplicate_object THEN END $$`,
      )
      await ask(server.url, `GRANT splitstream_${schema} TO admin_${count} WITH ADMIN TRUE`)
    }
    const admin = new URL(url)
    admin.username = `admin_${count}`
    admin.password = 'p%2540ss'
    await migratePostgres({ url: admin.href }, dir)
    expect(await ask(moduleUrl(admin.href, 'storage'), 'SELECT n FROM secret')).toEqual([{ n: 42 }])
    // With the first admin again: the passwords are repaired.
    await migratePostgres({ url: server.url }, dir)
    expect(await ask(moduleUrl(url, 'storage'), 'SELECT n FROM secret')).toEqual([{ n: 42 }])
  })

  it('need an admin URL with a password', () => {
    expect(() => moduleUrl('postgres://admin@host/db', 'storage')).toThrow(/password/)
    expect(moduleUrl('postgres://admin:a@host:1/db?sslmode=require', 'storage')).toMatch(
      /^postgres:\/\/splitstream_storage:[\w-]{43}@host:1\/db\?sslmode=require$/,
    )
    expect(moduleUrl('postgres://admin:a@h/db', 'edge')).not.toBe(moduleUrl('postgres://admin:b@h/db', 'edge'))
  })
})
