import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@clickhouse/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded.ts'

let dir: string
let engine: EmbeddedClickHouse | undefined

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-chs-'))
})
afterEach(async () => {
  await engine?.stop()
  engine = undefined
  await rm(dir, { recursive: true, force: true })
})

const clientOf = ({ url, username, password }: Pick<EmbeddedClickHouse, 'url' | 'username' | 'password'>) =>
  createClient({ url, username, password, log: { level: 127 as never } })

const count = async (client: ReturnType<typeof createClient>, table: string): Promise<number> =>
  Number(
    (
      await (
        await client.query({ query: `SELECT count() AS n FROM ${table}`, format: 'JSONEachRow' })
      ).json<{ n: string }>()
    )[0]!.n,
  ) // prettier-ignore

async function eventually<T>(work: () => Promise<T>, withinMs = 15_000): Promise<T> {
  for (const until = performance.now() + withinMs; ; await sleep(20)) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('comes back on the same port after kill -9 in the middle of inserts, with every acknowledged row', async () => {
  const exits: unknown[] = []
  engine = await startEmbeddedClickHouse({ dataDir: dir, onExit: (info) => exits.push(info) })
  const client = clientOf(engine)
  await client.command({ query: 'CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a' })
  let acknowledged = 0
  let sent = 0
  const write = async (): Promise<void> => {
    const values = Array.from({ length: 1_000 }, (_, i) => ({ a: sent + i }))
    sent += 1_000
    await client.insert({ table: 'kept', values, format: 'JSONEachRow' })
    acknowledged += 1_000
  }
  const url = engine.url
  for (let kill = 0; kill < 3; kill++) {
    const pid = engine.pid
    const work = Promise.allSettled(Array.from({ length: 6 }, write))
    await sleep(10 + kill * 10)
    process.kill(pid, 'SIGKILL')
    await work
    await eventually(() => count(client, 'kept'))
    expect(engine.pid).not.toBe(pid)
  }
  expect(engine.url).toBe(url)
  await eventually(write)
  const stored = await count(client, 'kept')
  expect(stored).toBeGreaterThanOrEqual(acknowledged)
  expect(stored).toBeLessThanOrEqual(sent)
  expect(stored % 1_000).toBe(0)
  expect(exits).toEqual([0, 1, 2].map((restarts) => ({ code: null, signal: 'SIGKILL', restarts })))
  expect(await engine.detachedParts()).toEqual([])
  await client.close()
}, 60_000)

it('starts again and again, with default empty, filled and emptied', async () => {
  for (const query of [
    'SELECT 1',
    'SELECT 1',
    'CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a',
    'SELECT 1',
    'DROP TABLE x SYNC',
    'SELECT 1',
  ]) {
    engine = await startEmbeddedClickHouse({ dataDir: dir })
    const client = clientOf(engine)
    await client.command({ query })
    await client.close()
    await engine.stop()
  }
}, 60_000)

it('keeps its data over a stop and a start', async () => {
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  const first = clientOf(engine)
  await first.command({ query: 'CREATE DATABASE other' })
  for (const table of ['plain', 'other.plain']) {
    await first.command({ query: `CREATE TABLE ${table} (a UInt8) ENGINE = MergeTree ORDER BY a` })
    await first.insert({ table, values: [{ a: 1 }], format: 'JSONEachRow' })
  }
  await first.close()
  const pid = engine.pid
  await engine.stop()
  expect(isAlive(pid)).toBe(false)
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  const second = clientOf(engine)
  expect(await count(second, 'plain')).toBe(1)
  expect(await count(second, 'other.plain')).toBe(1)
  await expect(count(second, '`/etc/hostname`')).rejects.toMatchObject({ type: 'UNKNOWN_TABLE' })
  await second.close()
}, 60_000)

it('dies with its parent, even while a query runs', async () => {
  const script = join(dir, 'parent.mjs')
  const module = new URL('./embedded.ts', import.meta.url).href
  await writeFile(
    script,
    `import { startEmbeddedClickHouse } from ${JSON.stringify(module)}
     const { url, username, password, pid } = await startEmbeddedClickHouse({ dataDir: ${JSON.stringify(join(dir, 'ch'))} })
     process.send({ url, username, password, pid })
     setInterval(() => undefined, 1000)`,
  )
  const parent = fork(script, { stdio: 'ignore' })
  const [ready] = (await once(parent, 'message')) as [Pick<EmbeddedClickHouse, 'url' | 'username' | 'password' | 'pid'>]
  const client = clientOf(ready)
  const query = client.query({ query: 'SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sin(number))' })
  query.catch(() => undefined)
  await sleep(200)
  parent.kill('SIGKILL')
  const from = performance.now()
  while (isAlive(ready.pid) && performance.now() - from < 5_000) await sleep(10)
  expect(isAlive(ready.pid)).toBe(false)
  expect(performance.now() - from).toBeLessThan(2_500)
  await expect(query).rejects.toThrow()
  await client.close()
  // Its successor opens the same directory at once.
  engine = await startEmbeddedClickHouse({ dataDir: join(dir, 'ch') })
}, 60_000)

it('stops within its deadline though a query runs', async () => {
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  const client = clientOf(engine)
  const query = client.query({ query: 'SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sin(number))' })
  query.catch(() => undefined)
  await sleep(100)
  const from = performance.now()
  await engine.stop(300)
  expect(performance.now() - from).toBeLessThan(1_500)
  await client.close()
}, 30_000)

it('names a broken part, and drops it when told to', async () => {
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  const first = clientOf(engine)
  await first.command({ query: 'CREATE DATABASE d' })
  const table = 'd.hurt'
  await first.command({
    query: `CREATE TABLE ${table} (p UInt8, a UInt64) ENGINE = MergeTree PARTITION BY p ORDER BY a`,
  })
  for (const p of [1, 2]) await first.insert({ table, values: [{ p, a: 1 }], format: 'JSONEachRow' })
  await first.close()
  await engine.stop()
  const files = (await readdir(dir, { recursive: true })).filter((path) =>
    /\/1_\d+_\d+_\d+\/(data\.bin|a\.bin)$/.test(path),
  )
  await truncate(join(dir, files[0]!), 3)
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  const second = clientOf(engine)
  const parts = await engine.detachedParts()
  expect(parts).toMatchObject([{ database: 'd', table: 'hurt', partition: '1' }])
  expect(parts[0]!.reason).toMatch(/broken/)
  expect(await count(second, table)).toBe(1)
  await engine.dropDetachedPart(parts[0]!)
  expect(await engine.detachedParts()).toEqual([])
  await second.close()
}, 60_000)

it('says why it does not start', async () => {
  await writeFile(join(dir, 'data'), await readFile(new URL(import.meta.url)))
  await expect(startEmbeddedClickHouse({ dataDir: dir })).rejects.toThrow(/does not start/)
}, 60_000)
