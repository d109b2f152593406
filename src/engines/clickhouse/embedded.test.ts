import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@clickhouse/client'
import { silentLogger } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded.ts'

let dir: string
let engine: EmbeddedClickHouse
let client: ReturnType<typeof createClient>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-ch-'))
  engine = await startEmbeddedClickHouse({ dataDir: dir, logger: silentLogger })
  client = createClient({ url: engine.url, username: engine.username, password: engine.password })
}, 60_000)

afterAll(async () => {
  await client.close()
  await engine.stop()
  await rm(dir, { recursive: true, force: true })
})

const rows = async <T>(query: string, query_params?: Record<string, unknown>): Promise<T[]> =>
  (await client.query({ query, format: 'JSONEachRow', ...(query_params && { query_params }) })).json<T>()

const running = async (marker: string): Promise<number> =>
  (await rows<{ q: string }>('SELECT query AS q FROM system.processes')).filter((p) => p.q.includes(marker)).length

describe('the embedded ClickHouse, through an unmodified @clickhouse/client', () => {
  it('answers a ping without a password and nothing else', async () => {
    expect(await (await fetch(`${engine.url}/ping`)).text()).toBe('Ok.\n')
    const refused = await fetch(`${engine.url}/?query=SELECT+1`)
    expect(refused.status).toBe(403)
    expect(refused.headers.get('x-clickhouse-exception-code')).toBe('516')
  })

  it.each([
    [
      'JSONEachRow',
      [
        { a: 1, b: 'x\ny' },
        { a: 2, b: 'ü' },
      ],
    ],
    [
      'JSONCompactEachRow',
      [
        [1, 'x\ny'],
        [2, 'ü'],
      ],
    ],
    ['CSV', Readable.from(['1,"x\ny"\n2,ü\n'], { objectMode: false })],
    ['TabSeparated', Readable.from(['1\tx\\ny\n2\tü\n'], { objectMode: false })],
    ['Parquet', undefined],
    ['Native', undefined],
    ['RowBinary', undefined],
  ] as const)('inserts and reads back %s', async (format, given) => {
    await client.command({ query: 'CREATE OR REPLACE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a' })
    const text = "SELECT 1::UInt32 AS a, 'x\ny' AS b UNION ALL SELECT 2, 'ü'"
    if (given) await client.insert({ table: 't', values: given as never, format: format as never })
    else {
      const { stream } = await client.exec({ query: `${text} FORMAT ${format}` })
      const done = await client.exec({ query: `INSERT INTO t (a, b) FORMAT ${format}`, values: stream })
      done.stream.resume()
      await once(done.stream, 'end')
    }
    expect(await rows('SELECT * FROM t ORDER BY a')).toEqual([
      { a: 1, b: 'x\ny' },
      { a: 2, b: 'ü' },
    ])
  })

  it('inserts objects, gzipped, and takes settings from the request', async () => {
    const zipped = createClient({
      url: engine.url,
      username: engine.username,
      password: engine.password,
      compression: { request: true, response: true },
    })
    await zipped.command({ query: 'CREATE OR REPLACE TABLE z (a UInt32) ENGINE = MergeTree ORDER BY a' })
    const values = Array.from({ length: 10_000 }, (_, a) => ({ a }))
    const done = await zipped.insert({ table: 'z', values, format: 'JSONEachRow' })
    expect(done.summary?.written_rows).toBe('10000')
    const result = await zipped.query({
      query: "SELECT count() AS n, getSetting('max_threads') AS t FROM z",
      format: 'JSONEachRow',
      clickhouse_settings: { max_threads: 1 },
    })
    expect(await result.json()).toEqual([{ n: '10000', t: 1 }])
    await zipped.close()
  })

  it('binds parameters of every kind and forgets the settings afterwards', async () => {
    const nasty = "it's a \\ 'quote' \n\t {x:String} \u0000 ü ; DROP TABLE t"
    expect(
      await rows(
        'SELECT {s:String} AS s, {n:Nullable(String)} AS n, {l:Array(String)} AS l, {i:Int64} AS i, {d:Float64} AS d, {b:Bool} AS b',
        { s: nasty, n: null, l: ["a'b", 'c\\'], i: -5, d: 0.25, b: true },
      ),
    ).toEqual([{ s: nasty, n: null, l: ["a'b", 'c\\'], i: '-5', d: 0.25, b: true }])
  })

  it('gives errors with code and name', async () => {
    await expect(rows('SELECT * FROM nowhere')).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' })
    await expect(rows('SELEKT 1')).rejects.toMatchObject({ code: '497' })
    await expect(rows("SELECT toUInt32('x')")).rejects.toMatchObject({ code: '6' })
  })

  it('streams a million rows', async () => {
    const result = await client.query({ query: 'SELECT number FROM numbers(1000000)', format: 'JSONEachRow' })
    let n = 0
    for await (const chunk of result.stream()) n += chunk.length
    expect(n).toBe(1_000_000)
  })

  it('kills the query when the client goes away', async () => {
    const abort = new AbortController()
    const query = client.query({
      query: 'SELECT sleepEachRow(0.5), /* gone */ number FROM numbers(100) SETTINGS max_block_size = 1',
      format: 'JSONEachRow',
      abort_signal: abort.signal,
    })
    setTimeout(() => abort.abort(), 300)
    await expect(query.then((result) => result.text())).rejects.toThrow()
    const until = Date.now() + 3_000
    while ((await running('sleepEachRow(0.5)')) > 0 && Date.now() < until) await sleep(20)
    expect(await running('sleepEachRow(0.5)')).toBe(0)
  })

  it('stores nothing of an insert whose body was cut short', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE cut (a UInt32) ENGINE = MergeTree ORDER BY a' })
    const { promise, resolve } = Promise.withResolvers<void>()
    const insert = request(`${engine.url}/?query=${encodeURIComponent('INSERT INTO cut (a) FORMAT CSV')}`, {
      method: 'POST',
      auth: `${engine.username}:${engine.password}`,
    })
    insert.on('error', () => resolve())
    insert.write('1\n2\n3\n')
    setTimeout(() => insert.destroy(), 200)
    await promise
    await sleep(200)
    expect(await rows('SELECT count() AS n FROM cut')).toEqual([{ n: '0' }])
  })

  it('runs inserts and queries at once', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE many (a UInt32) ENGINE = MergeTree ORDER BY a' })
    const work = Array.from({ length: 40 }, async (_, i) => {
      await client.insert({ table: 'many', values: [{ a: i }], format: 'JSONEachRow' })
      await rows('SELECT count() FROM many WHERE a < {i:UInt32}', { i })
    })
    await Promise.all(work)
    expect(await rows('SELECT count() AS n FROM many')).toEqual([{ n: '40' }])
  })

  it('ignores a second insert under the same token, by default', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE once (a UInt32) ENGINE = MergeTree ORDER BY a' })
    const insert = { table: 'once', values: [{ a: 1 }], format: 'JSONEachRow' } as const
    await client.insert({ ...insert, clickhouse_settings: { insert_deduplication_token: 'x' } })
    await client.insert({ ...insert, clickhouse_settings: { insert_deduplication_token: 'x' } })
    await client.insert({ ...insert, clickhouse_settings: { insert_deduplication_token: 'y' } })
    expect(await rows('SELECT count() AS n FROM once')).toEqual([{ n: '2' }])
  })

  it('is durable by default', async () => {
    expect(
      await rows(
        `SELECT name, value FROM system.merge_tree_settings WHERE name IN ('fsync_after_insert', 'fsync_part_directory') ORDER BY name`,
      ),
    ).toEqual([
      { name: 'fsync_after_insert', value: '1' },
      { name: 'fsync_part_directory', value: '1' },
    ])
  })

  it('gives way to this process', () => {
    expect(getPriority(engine.pid)).toBe(Math.min(19, getPriority() + 2))
  })

  it('does not delete old parts with 128 threads at once', async () => {
    const setting = "SELECT value FROM system.server_settings WHERE name = 'max_parts_cleaning_thread_pool_size'"
    expect(await rows(setting)).toEqual([{ value: '2' }])
  })

  it('comes back on the same port after kill -9, with its data', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE kept (a UInt32) ENGINE = MergeTree ORDER BY a' })
    await client.insert({ table: 'kept', values: [{ a: 7 }], format: 'JSONEachRow' })
    const before = engine.pid
    process.kill(before, 'SIGKILL')
    const until = Date.now() + 20_000
    for (;;) {
      const back = await rows('SELECT a FROM kept').catch(() => undefined)
      if (back && engine.pid !== before) {
        expect(back).toEqual([{ a: 7 }])
        break
      }
      if (Date.now() > until) throw new Error('the engine did not come back')
      await sleep(50)
    }
    expect(engine.restarts).toBe(1)
  }, 30_000)
})
