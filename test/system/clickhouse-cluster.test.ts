import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouse, noMetrics, noTracer, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { EventsTable } from '../../modules/storage/adapters/events-table.ts'
import { connectClickHouse } from '../../src/engines/clickhouse/client.ts'
import { openClickHouseServers } from '../../src/engines/clickhouse/open.ts'
import { parseClickHouseUrls } from '../../src/engines/clickhouse/urls.ts'
import { type Replicas, replicasMissing, startReplicas } from '../support/clickhouse-cluster/replicas.ts'
import { describeUnless } from '../support/suite.ts'

const database = 'shop'
const call = (ms = 20_000) => systemCall(systemClock, ms, new AbortController().signal)
const patience = { timeout: 30_000, interval: 100 }

describeUnless(await replicasMissing(), 'three replicas of ClickHouse', () => {
  let replicas: Replicas
  let migrations: string
  let clickhouse: ClickHouse & { close(): Promise<void> }
  let next = 0
  /** Replicas that our driver asks. */
  let serving: (() => number) | undefined

  beforeAll(async () => {
    migrations = await mkdtemp(join(tmpdir(), 'splitstream-migrations-'))
    await mkdir(join(migrations, 'storage'))
    await writeFile(
      join(migrations, 'storage/0001_events.sql'),
      'CREATE TABLE IF NOT EXISTS events (_log_partition UInt32, _log_offset UInt64) ENGINE = MergeTree ORDER BY _log_offset SETTINGS fsync_after_insert = 1;\n',
    )
    replicas = await startReplicas({ count: 3, database })
    clickhouse = await open()
  }, 120_000)

  afterAll(async () => {
    await clickhouse?.close()
    await replicas?.stop()
    await rm(migrations, { recursive: true, force: true })
  })

  /** Each test finds three replicas that have everything. */
  beforeEach(async () => {
    for (const i of [0, 1, 2]) {
      replicas.share(i, true)
      replicas.freeze(i, false)
      if (!replicas.isRunning(i)) await replicas.start(i)
    }
    await vi.waitFor(async () => {
      const active = await Promise.all(
        [0, 1, 2].map((i) => on(i, (one) => one.rows<{ n: number }>({ sql: activeSql }, call()))),
      )
      expect(active.map(([row]) => Number(row!.n))).toEqual([3, 3, 3])
      expect(serving!()).toBe(3)
    }, patience)
  }, 60_000)
  const activeSql = 'SELECT active_replicas * (is_readonly = 0) AS n FROM system.replicas'

  const open = (more: { url?: string; cluster?: string | undefined } = {}) =>
    openClickHouseServers({
      servers: parseClickHouseUrls(more.url ?? replicas.url)!,
      cluster: 'cluster' in more ? more.cluster : replicas.cluster,
      migrations,
      clock: systemClock,
      logger: silentLogger,
      metrics: {
        ...noMetrics,
        gauge: (_name, _help, read) => {
          serving ??= () => servingOf(read())
        },
      },
      tracer: noTracer,
    })

  /** Asks one replica, with nothing of ours between. */
  async function on<T>(index: number, ask: (one: ClickHouse) => Promise<T>): Promise<T> {
    const { username, password } = replicas
    const one = connectClickHouse({ url: replicas.origins[index]!, username, password, database })
    return await ask(one).finally(() => one.close())
  }
  const count = async (one: ClickHouse = clickhouse): Promise<number> =>
    Number((await one.rows<{ n: string }>({ sql: 'SELECT count() AS n FROM events' }, call()))[0]!.n)
  const insert = (offsets: readonly number[], token: string, one: ClickHouse = clickhouse, more = {}, ms?: number) =>
    one.insert(
      {
        table: 'events',
        columns: ['_log_partition', '_log_offset'],
        format: 'JSONEachRow',
        body: Buffer.from(offsets.map((o) => JSON.stringify({ _log_partition: 0, _log_offset: o })).join('\n')),
        settings: { insert_deduplication_token: token, ...more },
      },
      call(ms),
    )
  /** A client that is told 503 comes again; it never sees another number. */
  const counts = async (rows: number): Promise<void> => {
    for (const until = performance.now() + patience.timeout; ; await systemClock.sleep(100)) {
      const n = await count().catch((error: { code?: string }) => error.code)
      if (n !== 'UNAVAILABLE' || performance.now() > until) return expect(n).toBe(rows)
    }
  }
  /** How many rows there are, whenever somebody can say. */
  const known = () => vi.waitFor(() => count(), patience)
  /** As storage does: again under the same token, until it is in. */
  const store = (offsets: readonly number[], token: string) => vi.waitFor(() => insert(offsets, token), patience)
  /** Rows that nobody has inserted yet, with their token. */
  const fresh = (rows = 10): [number[], string] => {
    const first = next
    next += rows
    return [Array.from({ length: rows }, (_, i) => first + i), `0:${first}-${next - 1}`]
  }

  it('an insert is on two replicas when it is answered, and read from any', async () => {
    const before = await known()
    await store(...fresh())
    const there = await Promise.all([0, 1, 2].map((i) => on(i, count)))
    expect(there.filter((n) => n === before + 10).length).toBeGreaterThanOrEqual(2)
    for (let i = 0; i < 6; i++) await counts(before + 10)
  })

  it('refuses to start with servers that are no replicas of the cluster, or one that is named twice', async () => {
    const refused = async (words: string, more: Parameters<typeof open>[0]) => {
      const message = expect.stringContaining(words)
      await expect(open(more)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message })
    }
    const [, firstHost = ''] = /@([^,]+)/.exec(replicas.url)!
    await refused('knows no cluster other', { cluster: 'other' })
    await refused('set CLICKHOUSE_CLUSTER', {
      url: replicas.url.replace(/@[^/]+/, `@${firstHost}`),
      cluster: undefined,
    })
    const two = replicas.url.replace(/,[^,/]+(?=\/shop)/, '')
    await refused('has 3 replicas, and CLICKHOUSE_URL names 2', { url: two })
    const twice = replicas.url.replace(/,[^,/]+(?=\/shop)/, `,${firstHost.replace('127.0.0.1', 'localhost')}`)
    await refused('are the same replica (replica-1)', { url: twice })
    const database = replicas.url.replace(/shop$/, 'default')
    await refused('password is another one', { url: database.replace(/splitstream:[^@]+/, 'splitstream:wrong') })
  })

  it('a repeated insert stores nothing twice, on whichever replica', async () => {
    const before = await known()
    const [rows, token] = fresh()
    await store(rows, token)
    for (const i of [0, 1, 2]) await on(i, (one) => insert(rows, token, one))
    await counts(before + 10)
  })

  it('goes on with one replica down, under a repeated insert too, and takes it back', async () => {
    const before = await known()
    const [rows, token] = fresh()
    await store(rows, token)
    await replicas.kill(0)
    // The one that was used is gone: the caller comes again, as it does after every failure.
    await store(rows, token)
    await store(...fresh())
    for (let i = 0; i < 4; i++) expect(await count()).toBeGreaterThanOrEqual(before + 20)
    await replicas.start(0)
    await vi.waitFor(async () => expect(await on(0, count)).toBe(await count()), patience)
  }, 90_000)

  it('with two of three down: reads are complete, inserts are refused, and work again afterwards', async () => {
    await store(...fresh())
    const synced = (i: number) => on(i, (one) => one.command({ sql: 'SYSTEM SYNC REPLICA events' }, call()))
    await Promise.all([0, 1, 2].map((i) => vi.waitFor(() => synced(i), patience)))
    const before = await known()
    await replicas.kill(0)
    await replicas.kill(1)
    for (let i = 0; i < 4; i++) await counts(before)
    // Before that, an insert would wait for a second replica that does not come.
    await vi.waitFor(
      async () => expect((await on(2, (one) => one.rows<{ n: string }>({ sql: activeSql }, call())))[0]!.n).toBe('1'),
      patience,
    )
    const [rows, token] = fresh()
    // TOO_FEW_LIVE_REPLICAS
    await vi.waitFor(
      () => expect(insert(rows, token)).rejects.toMatchObject({ number: 285, retryable: true }),
      patience,
    )
    await counts(before)
    await Promise.all([replicas.start(0), replicas.start(1)])
    await store(rows, token)
    await counts(before + 10)
  }, 120_000)

  it('a replica that is behind never answers: not alone, and not beside others', async () => {
    await replicas.kill(2)
    await store(...fresh())
    const before = await known()
    for (const i of [0, 1]) replicas.share(i, false)
    await replicas.start(2)
    // It has joined again, knows of the part, and cannot get it.
    await vi.waitFor(
      async () =>
        expect((await on(2, (one) => one.rows<{ n: string }>({ sql: queueSql }, call())))[0]!.n).not.toBe('0'),
      patience,
    )
    expect(await on(2, count)).toBeLessThan(before)
    for (let i = 0; i < 6; i++) await counts(before)
    await replicas.kill(0)
    await replicas.kill(1)
    for (let i = 0; i < 2; i++) await expect(count()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    for (const i of [0, 1]) replicas.share(i, true)
    await replicas.start(1)
    await counts(before)
    await replicas.start(0)
  }, 120_000)
  const queueSql = "SELECT count() AS n FROM system.replication_queue WHERE type = 'GET_PART'"

  it('passes over one that hangs, and does not ask it again meanwhile', async () => {
    await store(...fresh())
    const before = await known()
    replicas.freeze(1, true)
    for (let i = 0; i < 3; i++) await counts(before)
    await vi.waitFor(() => expect(serving!()).toBe(2), patience)
    const from = performance.now()
    for (let i = 0; i < 6; i++) await counts(before)
    expect(performance.now() - from).toBeLessThan(2_000)
    replicas.freeze(1, false)
    await vi.waitFor(() => expect(serving!()).toBe(3), patience)
    for (let i = 0; i < 3; i++) await counts(before)
  }, 60_000)

  it('does not take for stored what one replica alone has', async () => {
    const table = new EventsTable(clickhouse)
    const [rows, token] = fresh()
    for (const i of [0, 1, 2]) replicas.share(i, false)
    // What is left of an insert whose quorum was not reached before its caller died.
    await on(0, (one) => insert(rows, token, one))
    const stored = (ms: number) => table.storedOffsets(0, rows[0]!, rows.at(-1)!, call(ms))
    await expect(stored(20_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    for (const i of [0, 1, 2]) replicas.share(i, true)
    await vi.waitFor(async () => expect((await stored(8_000)).size).toBe(10), patience)
  }, 60_000)

  it('ends inserts on all replicas', async () => {
    const table = new EventsTable(clickhouse)
    for (const i of [0, 1, 2]) replicas.share(i, false)
    // Each is in one replica and waits for a second one, which cannot get it.
    const waiting = Promise.allSettled(
      [0, 1, 2].map((i) => on(i, (one) => insert([900 + i], `7:${i}-${i}`, one, { insert_quorum: 2 }))),
    )
    const running = {
      sql: "SELECT count() AS n FROM system.processes WHERE query_kind = 'Insert'",
      replicas: 'each',
    } as const
    const counts = async () => (await clickhouse.rows<{ n: string }>(running, call())).map(({ n }) => n)
    await vi.waitFor(async () => expect(await counts()).toEqual(['1', '1', '1']), patience)
    await expect(table.endInserts(7, call(1))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await table.endInserts(8, call())
    expect(await counts()).toEqual(['1', '1', '1'])
    await table.endInserts(7, call())
    expect(await counts()).toEqual(['0', '0', '0'])
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  }, 60_000)

  it('without Keeper nobody knows who is complete: reads are refused, and work again with it', async () => {
    const before = await known()
    await replicas.stopZooKeeper()
    await vi.waitFor(() => expect(count()).rejects.toMatchObject({ code: 'UNAVAILABLE' }), patience)
    await expect(insert(...fresh(), clickhouse, {}, 8_000)).rejects.toThrow()
    await replicas.startZooKeeper()
    await vi.waitFor(async () => expect(await count()).toBeGreaterThanOrEqual(before), patience)
  }, 120_000)

  it('starts with one replica away, and makes its tables when it comes', async () => {
    await replicas.kill(2)
    const other = await open()
    try {
      await replicas.start(2, { empty: true })
      const drop = "SYSTEM DROP REPLICA 'replica-3' FROM ZKPATH '/clickhouse/tables/1/shop/events'"
      await vi.waitFor(() => on(0, (one) => one.command({ sql: drop }, call())), patience)
      await vi.waitFor(async () => expect(await on(2, count)).toBe(await count(other)), patience)
    } finally {
      await other.close()
    }
  }, 120_000)
})

function servingOf(reading: unknown): number {
  return (reading as [{ state: string }, number][]).find(([{ state }]) => state === 'serving')![1]
}
