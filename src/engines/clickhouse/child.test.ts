import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createClient, TupleParam } from '@clickhouse/client'
import { describe, expect, it } from 'vitest'
import { bytes, client, dir, engine, post, rows, value } from './child.fixture.ts'

describe('the child, answers', () => {
  const source = 'SELECT number AS a, toString(number) AS b FROM numbers(150000)'
  const binary = [
    'Parquet',
    'ORC',
    'Arrow',
    'ArrowStream',
    'Native',
    'Avro',
    'RowBinary',
    'RowBinaryWithNamesAndTypes',
    'MsgPack',
  ]
  const text = [
    'JSON',
    'JSONCompact',
    'JSONEachRow',
    'JSONCompactEachRow',
    'CSV',
    'CSVWithNames',
    'TSVWithNamesAndTypes',
    'Values',
    'JSONColumns',
  ]

  it.each([...binary, ...text])(
    'a long answer in %s is one whole document, which can be inserted again',
    async (format) => {
      const body = await bytes(`${source} FORMAT ${format}`)
      await client.command({ query: 'CREATE OR REPLACE TABLE trip (a UInt64, b String) ENGINE = MergeTree ORDER BY a' })
      const done = await post(`INSERT INTO trip (a, b) FORMAT ${format}`, gzipSync(body, { level: 1 }), {
        'Content-Encoding': 'gzip',
      })
      expect(await done.text()).toBe('')
      expect(JSON.parse(done.headers.get('x-clickhouse-summary') ?? '{}')).toMatchObject({ written_rows: '150000' })
      expect(await rows('SELECT count() AS n, sum(a) AS s, uniqExact(b) AS u FROM trip')).toEqual([
        { n: '150000', s: '11249925000', u: '150000' },
      ])
    },
    20_000,
  )

  it('JSON carries meta, totals, rows and statistics', async () => {
    const query = 'SELECT number % 2 AS k, count() AS n FROM numbers(100000) GROUP BY k WITH TOTALS ORDER BY k'
    const answer = await (await client.query({ query, format: 'JSON' })).json()
    expect(answer).toMatchObject({ rows: 2, totals: { n: '100000' }, data: [{ n: '50000' }, { n: '50000' }] })
  })

  it.each([
    'SHOW DATABASES',
    'EXPLAIN SELECT 1',
    'DESCRIBE TABLE system.one',
    'EXISTS TABLE system.one',
    'FROM system.one SELECT *',
  ])('answers %s', async (query) => {
    expect((await (await client.query({ query, format: 'JSONCompactEachRow' })).json()).length).toBeGreaterThan(0)
  })

  it('has the headers of the server', async () => {
    const answer = await post('SELECT 1 AS a FORMAT CSV', undefined, {}, '&query_id=mine-1')
    expect(await answer.text()).toBe('1\n')
    expect(answer.headers.get('x-clickhouse-query-id')).toBe('mine-1')
    expect(answer.headers.get('x-clickhouse-format')).toBe('CSV')
    expect(JSON.parse(answer.headers.get('x-clickhouse-summary')!)).toMatchObject({ read_rows: '1' })
  })

  it('compresses when asked to', async () => {
    const { promise, resolve } = Promise.withResolvers<{ encoding?: string; body: Buffer }>()
    const sql = encodeURIComponent('SELECT number FROM numbers(300000)')
    request(
      `${engine.url}/?enable_http_compression=1&query=${sql}`,
      {
        auth: `${engine.username}:${engine.password}`,
        headers: { 'Accept-Encoding': 'gzip' },
      },
      async (response) => {
        const encoding = response.headers['content-encoding']
        resolve({ body: await buffer(response), ...(encoding && { encoding }) })
      },
    ).end()
    const { encoding, body } = await promise
    expect(encoding).toBe('gzip')
    expect(gunzipSync(body).toString().split('\n').length).toBe(300_001)
  })

  it('streams five million rows in bounded memory', async () => {
    const before = await residentBytes(engine.pid)
    const result = await client.query({
      query: "SELECT number, repeat('x', 50) FROM numbers(5000000)",
      format: 'JSONCompactEachRow',
    })
    let n = 0
    let most = 0
    for await (const chunk of result.stream()) {
      n += chunk.length
      if (n % 50 === 0) most = Math.max(most, await residentBytes(engine.pid))
    }
    expect(n).toBe(5_000_000)
    expect(most - before).toBeLessThan(200 << 20)
  }, 60_000)
})

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}

describe('the child, parameters and settings', () => {
  it.each([
    ['String', "it's a \\ \t\n\r 'quote' \" ` {x:String} /* -- ; ü 🎉"],
    ['String', ''],
    ['String', '\\N'],
    ['Nullable(String)', null],
    ['Int64', '-9223372036854775808'],
    ['UInt64', '18446744073709551615'],
    ['Float64', 0.1],
    ['Bool', true],
    ['Array(String)', ["a'b", 'c\\d', 'e\tf', '']],
    ['Array(Array(Int32))', [[1, -2], []]],
    ['Array(Nullable(String))', ['a', null]],
    ['Map(String, String)', { "k'": "v\\'" }],
  ])('binds %s %j', async (type, given) => {
    const [row] = await rows<{ v: unknown }>(`SELECT {p:${type}} AS v`, { p: given })
    expect(row!.v).toEqual(given)
  })

  it('binds dates, tuples and names', async () => {
    const at = new Date('2024-02-29T12:34:56.789Z')
    expect(
      await rows("SELECT {d:DateTime64(3, 'UTC')} AS d, {t:Tuple(Int8, String)} AS t, {c:Identifier} FROM system.one", {
        d: at,
        t: new TupleParam([1, "x'y"]),
        c: 'dummy',
      }),
    ).toEqual([{ d: '2024-02-29 12:34:56.789', t: [1, "x'y"], dummy: 0 }]) // prettier-ignore
  })

  it('takes long parameters (which the client sends as a multipart body)', async () => {
    const list = Array.from({ length: 5_000 }, (_, i) => `item-${i}`)
    const result = await client.query({
      query: 'SELECT length({l:Array(String)}) AS n',
      query_params: { l: list },
      format: 'JSONEachRow',
      use_multipart_params: true,
    })
    expect(await result.json()).toEqual([{ n: '5000' }])
    expect(await rows('SELECT length({l:Array(String)}) AS n', { l: list })).toEqual([{ n: '5000' }])
  })

  it('leaves nothing to the next request: neither settings, parameters nor temporary tables', async () => {
    await client.query({ query: 'SELECT 1', clickhouse_settings: { max_threads: 1 }, query_params: { x: 1 } })
    await client.command({ query: 'CREATE TEMPORARY TABLE tmp (a Int8)' })
    const many = Array.from({ length: 20 }, async () => {
      await expect(rows('SELECT {x:Int8}')).rejects.toMatchObject({ type: 'UNKNOWN_QUERY_PARAMETER' })
      await expect(rows('SELECT * FROM tmp')).rejects.toMatchObject({ type: 'UNKNOWN_TABLE' })
      expect(await value("SELECT value AS v FROM system.settings WHERE name = 'max_threads'")).not.toBe('1')
    })
    await Promise.all(many)
  })

  it('uses the database of the connection', async () => {
    await client.command({ query: 'CREATE DATABASE IF NOT EXISTS other' })
    const there = createClient({
      url: engine.url,
      username: engine.username,
      password: engine.password,
      database: 'other',
    })
    await there.command({ query: 'CREATE TABLE here (a Int8) ENGINE = MergeTree ORDER BY a' })
    await there.insert({ table: 'here', values: [{ a: 1 }], format: 'JSONEachRow' })
    await there.close()
    expect(await rows('SELECT * FROM other.here')).toEqual([{ a: 1 }])
    expect(await value("SELECT engine AS v FROM system.databases WHERE name = 'other'")).toBe('Atomic')
  })

  it('has durable inserts, no asynchronous ones, and no overlay on the file system', async () => {
    const merge = await rows<{ name: string; value: string }>(
      "SELECT name, value FROM system.merge_tree_settings WHERE name IN ('fsync_after_insert', 'fsync_part_directory') AND value = '1'",
    )
    expect(merge.length).toBe(2)
    expect(await value("SELECT getSetting('async_insert') AS v")).toBe(false)
    await expect(rows('SELECT * FROM `/etc/hostname`')).rejects.toMatchObject({ type: 'UNKNOWN_TABLE' })
    await expect(rows('SELECT * FROM {t:Identifier}', { t: '/etc/hostname' })).rejects.toThrow()
    await expect(rows('SELECT * FROM other.`/etc/hostname`')).rejects.toThrow()
  })
})

describe('the child, errors', () => {
  it.each([
    ['SELECT * FROM nowhere', '60', 'UNKNOWN_TABLE', 404],
    ['SELECT nothing', '47', 'UNKNOWN_IDENTIFIER', 404],
    ['SELECT 1 +', '62', 'SYNTAX_ERROR', 400],
    ["SELECT toUInt8('x')", '6', 'CANNOT_PARSE_TEXT', 400],
    ['SELECT 1 FORMAT Nonsense', '73', 'UNKNOWN_FORMAT', 404],
    [
      'SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_execution_time = 1, max_block_size = 1',
      '159',
      'TIMEOUT_EXCEEDED',
      408,
    ],
    ['SELECT 1; SELECT 2', '497', 'ACCESS_DENIED', 403],
    ["SELECT throwIf(number = 10, 'boom') FROM numbers(100)", '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', 500],
  ])('%s', async (sql, code, type, status) => {
    const answer = await post(sql)
    const text = await answer.text()
    expect(text).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: [\\s\\S]*\\(${type}\\) \\(version 2\\d\\.`))
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe(code)
    expect(answer.status).toBe(status)
  })

  it('refuses sessions, unknown settings, unknown databases and denied settings', async () => {
    expect(await (await post('SELECT 1', undefined, {}, '&session_id=a')).text()).toMatch(/^Code: 48\./)
    expect(await (await post('SELECT 1', undefined, {}, '&nonsense=1')).text()).toMatch(/^Code: 115\./)
    expect(await (await post('SELECT 1', undefined, {}, '&database=nonsense')).text()).toMatch(/^Code: 81\./)
    expect(await (await post('SELECT 1', undefined, {}, '&dialect=prql')).text()).toMatch(/^Code: 497\./)
  })

  it('says so when an answer breaks in its middle', async () => {
    const query = 'SELECT throwIf(number = 2000000) AS v FROM numbers(3000000) SETTINGS max_threads = 1'
    const result = await client.query({ query, format: 'JSONEachRow' })
    await expect(
      (async () => {
        for await (const _ of result.stream());
      })(),
    ).rejects.toMatchObject({ code: '395' }) // prettier-ignore
  })

  it('names the row of bad data, stores none of it, and goes on', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE bad (a UInt32) ENGINE = MergeTree ORDER BY a' })
    const long = Array.from({ length: 500_000 }, (_, i) => (i === 1000 ? 'x' : i)).join('\n')
    for (const body of ['1\n2\nx\n', long]) {
      const answer = await post('INSERT INTO bad FORMAT CSV', body)
      const text = await answer.text()
      expect(text).toMatch(/^Code: \d+\. DB::Exception: .*at row/)
      expect(text).not.toContain(dir)
      expect(answer.status).toBe(400)
    }
    expect((await post('INSERT INTO missing FORMAT CSV', '1\n')).status).toBe(404)
    expect((await post('INSERT INTO missing FORMAT CSV', long)).status).toBe(404)
    expect(await value('SELECT count() AS v FROM bad')).toBe('0')
  }, 20_000)
})
