import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { bytes, client, cutOff, dir, idle, post, rows, running, value } from './child.fixture.ts'

describe('the child, inserts', () => {
  it('takes an empty body, rows in the text, rows behind the text, and VALUES with expressions', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE small (a UInt32, b String) ENGINE = MergeTree ORDER BY a' })
    expect((await post('INSERT INTO small FORMAT RowBinary', '')).status).toBe(200)
    expect((await post('INSERT INTO small FORMAT RowBinary')).status).toBe(200)
    await client.command({ query: "INSERT INTO small VALUES (1, 'a;'), (2, upper('b'))" })
    await client.command({ query: 'INSERT INTO small (a, b) FORMAT JSONEachRow\n{"a":3,"b":"c"}\n{"a":4,"b":"ü"}' })
    await client.insert({ table: 'small', values: Readable.from(['5,e\n'], { objectMode: false }), format: 'CSV' })
    expect((await post('INSERT INTO small VALUES', "(6, 'f'), (7, 'g')")).status).toBe(200)
    expect((await post('INSERT INTO small VALUES', "(8, file('/etc/hostname'))")).status).toBeGreaterThanOrEqual(400)
    expect((await post('INSERT INTO small VALUES', "(9, concat('a', 'b'))")).status).toBeGreaterThanOrEqual(400)
    expect(await rows('SELECT a, b FROM small ORDER BY a')).toEqual(
      ['a;', 'B', 'c', 'ü', 'e', 'f', 'g'].map((b, i) => ({ a: i + 1, b })),
    )
  })

  it('commits nothing of a body that breaks off, in any format and at any moment', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE cut (a UInt64) ENGINE = MergeTree ORDER BY a' })
    for (let i = 0; i < 40; i++) {
      const [format, part] = [
        ['RowBinary', Buffer.alloc(8 * (1 + i * 3_000))],
        ['CSV', Buffer.from('1\n'.repeat(1 + i * 10_000))],
        ['JSONEachRow', Buffer.from('{"a":1}\n'.repeat(1 + i * 1_000))],
        ['Native', await bytes('SELECT number AS a FROM numbers(1000) FORMAT Native')],
      ][i % 4] as [string, Buffer]
      await cutOff(`INSERT INTO cut (a) FORMAT ${format}`, part, i % 12)
    }
    await idle()
    expect(await value('SELECT count() AS v FROM cut')).toBe('0')
  }, 30_000)

  it('commits nothing of a compressed body that ends too early', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE cutzip (a UInt64) ENGINE = MergeTree ORDER BY a' })
    const whole = gzipSync(Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i}\n`).join('')))
    const answer = await post('INSERT INTO cutzip FORMAT CSV', Buffer.from(whole.subarray(0, whole.length - 20)), {
      'Content-Encoding': 'gzip',
    })
    expect(answer.status).toBe(500)
    await idle()
    expect(await value('SELECT count() AS v FROM cutzip')).toBe('0')
  })

  it('deduplicates by token where the table has a window', async () => {
    await client.command({
      query:
        'CREATE OR REPLACE TABLE once (a UInt32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100',
    })
    for (const token of ['x', 'x', 'y']) {
      await client.insert({
        table: 'once',
        values: [{ a: 1 }],
        format: 'JSONEachRow',
        clickhouse_settings: { insert_deduplication_token: token },
      })
    }
    expect(await value('SELECT count() AS v FROM once')).toBe('2')
  })

  it('runs many inserts and queries at once, more than it has sessions', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE many (a UInt32) ENGINE = MergeTree ORDER BY a' })
    await Promise.all(
      Array.from({ length: 150 }, async (_, i) => {
        await client.insert({ table: 'many', values: [{ a: i }], format: 'JSONEachRow' })
        expect(await rows('SELECT a FROM many WHERE a = {i:UInt32}', { i })).toEqual([{ a: i }])
      }),
    )
    expect(await value('SELECT count() AS v FROM many')).toBe('150')
  }, 20_000)
})

describe('the child, cancellation', () => {
  // Left alone, the queries run for an hour. How fast they go is a figure of the bench.
  const gone = (): Promise<void> =>
    vi.waitFor(async () => expect(await running('100000000000')).toBe(0), { timeout: 10_000, interval: 50 })

  it('a query whose client goes before its first row is gone long before its end', async () => {
    const abort = new AbortController()
    const query = 'SELECT count() FROM numbers(100000000000) WHERE NOT ignore(sin(number))'
    const work = client.exec({ query, abort_signal: abort.signal })
    work.catch(() => undefined)
    await vi.waitFor(async () => expect(await running('100000000000')).toBe(1), { timeout: 10_000, interval: 5 })
    abort.abort()
    await gone()
    await expect(work).rejects.toThrow()
  }, 30_000)

  it('a query whose client goes in its middle is gone long before its end', async () => {
    const { stream } = await client.exec({ query: 'SELECT number, sin(number) FROM numbers(100000000000)' })
    for await (const _chunk of stream) break // closes the connection; the client's abort_signal does nothing any more
    await gone()
  }, 30_000)

  it('leaves the pool whole after many cancellations', async () => {
    for (let i = 0; i < 40; i++) {
      const abort = new AbortController()
      const query = client.query({
        query: 'SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_block_size = 1',
        abort_signal: abort.signal,
      })
      setTimeout(() => abort.abort(), i % 20)
      await query.then((result) => result.text()).catch(() => undefined)
    }
    await Promise.all(Array.from({ length: 8 }, () => rows('SELECT sleep(0.2)')))
    expect((await readdir(join(dir, 'run'))).filter((name) => name.startsWith('pipe')).length).toBe(8)
  }, 30_000)
})
