import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { noMetrics, noTracer, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { EventsTable } from '../../modules/storage/adapters/events-table.ts'
import { connectClickHouse } from '../../src/engines/clickhouse/client.ts'
import { openClickHouseServers } from '../../src/engines/clickhouse/open.ts'
import { parseClickHouseUrls } from '../../src/engines/clickhouse/urls.ts'
import { type Replicas, replicasMissing, startReplicas } from '../support/clickhouse-cluster/replicas.ts'
import { describeUnless } from '../support/suite.ts'
import { afterTest, ask, figures, newDataDir, once, post, start } from './lives.fixture.ts'

/* A replica that is frozen: it takes connections, and never answers. Each use of the cluster has to pass it over within seconds. */

const database = 'splitstream'
const migrations = fileURLToPath(new URL('../../migrations/clickhouse', import.meta.url))
const patience = { timeout: 30_000, interval: 100 }
const call = (ms = 60_000) => systemCall(systemClock, ms, new AbortController().signal)

describeUnless(await replicasMissing(), 'a replica of ClickHouse that hangs', () => {
  let replicas: Replicas

  beforeAll(async () => {
    replicas = await startReplicas({ count: 3, database })
  }, 120_000)
  afterAll(() => replicas?.stop())

  /** Each test finds three replicas that answer and have a session with Keeper. */
  beforeEach(async () => {
    for (const i of [0, 1, 2]) replicas.freeze(i, false)
    const standing = async (url: string) => {
      const { username, password } = replicas
      const one = connectClickHouse({ url, username, password, database: 'default' })
      const sql = 'SELECT count() AS n FROM system.replicas WHERE is_readonly'
      return await one.rows<{ n: string }>({ sql }, call(5_000)).finally(() => one.close())
    }
    const all = () => Promise.all(replicas.origins.map(standing))
    await vi.waitFor(async () => expect((await all()).map(([row]) => row!.n)).toEqual(['0', '0', '0']), patience)
  }, 60_000)

  async function open(more: { database?: string; clock?: typeof systemClock } = {}) {
    const { clock = systemClock } = more
    const url = replicas.url.replace(/\w+$/, more.database ?? database)
    const [servers, { cluster }] = [parseClickHouseUrls(url)!, replicas]
    const observed = { metrics: noMetrics, tracer: noTracer }
    const driver = await openClickHouseServers({
      ...{ servers, cluster, migrations, clock, logger: silentLogger },
      ...observed,
    })
    afterTest(() => driver.close())
    return driver
  }

  const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
    const from = performance.now()
    return [await work, performance.now() - from]
  }

  it('keeps nobody from starting, with tables and without', async () => {
    for (const [hung, name] of [
      [2, 'first'],
      [0, 'first'],
      [0, 'second'],
    ] as const) {
      replicas.freeze(hung, true)
      const [driver, ms] = await timed(open({ database: name }))
      expect(ms).toBeLessThan(40_000)
      expect(await new EventsTable(driver).count(call())).toBe(0)
      replicas.freeze(hung, false)
    }
  }, 150_000)

  it('holds up what has to be asked of each only for as long as an insert may take', async () => {
    let later = 0
    const clock = { ...systemClock, monotonic: () => performance.now() + later }
    const table = new EventsTable(await open({ clock }), clock)
    const end = () => table.endInserts(7, systemCall(clock, 60_000, new AbortController().signal))
    await end()
    replicas.freeze(1, true)
    const refused = { code: 'UNAVAILABLE', message: expect.stringContaining('does not answer') }
    const [, ms] = await timed(expect(end()).rejects.toMatchObject(refused))
    expect(ms).toBeLessThan(10_000)
    later += 140_000
    await expect(end()).rejects.toMatchObject(refused)
    later += 10_000
    const [, afterwards] = await timed(end())
    expect(afterwards).toBeLessThan(2_000)
    // As soon as it answers it is asked again.
    replicas.freeze(1, false)
    await vi.waitFor(() => end(), patience)
  }, 60_000)

  it('costs a process few reads: those that were on it are late, and all are answered afresh', async () => {
    const server = await serve()
    await vi.waitFor(() => sent(server.url, 0, 500), patience)
    const before = await readFor(server.url, 5_000)
    expect(await out(server.url)).toBe(0)
    replicas.freeze(1, true)
    const [during] = await Promise.all([
      readFor(server.url, 15_000),
      // Whatever becomes of reads: it is known for what it is.
      vi.waitFor(async () => expect(await out(server.url)).toBe(1), { timeout: 10_000, interval: 100 }),
    ])
    console.log(JSON.stringify({ before, during }))
    // A machine that does other work as well makes others late too.
    expect(during.wrong).toBeLessThanOrEqual(perSecond + before.wrong * 3)
    expect(during.late).toBeLessThanOrEqual(3 * perSecond + before.late * 3)
    expect(await out(server.url)).toBe(1)
    replicas.freeze(1, false)
    await vi.waitFor(async () => expect(await out(server.url)).toBe(0), patience)
  }, 150_000)
  const out = async (url: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^splitstream_clickhouse_replicas\{state="out"\} (\d)$/m.exec(text)?.[1])
  }

  it('costs a process no storing: others store within seconds, and when it goes on nothing is there twice', async () => {
    const server = await serve()
    await vi.waitFor(() => sent(server.url, 0, 100), patience)
    let next = 100
    let more = true
    const load = (async () => {
      for (; more; await delay(20)) {
        const sent = await post(server.url, next, 20, { query: '' }).catch(() => undefined)
        if (sent?.status === 202) next += 20
      }
    })()
    afterTest(async () => {
      more = false
      await load
    })
    await vi.waitFor(() => expect(next).toBeGreaterThan(200), patience)
    const slowest: number[] = []
    for (const i of [0, 1, 2]) {
      replicas.freeze(i, true)
      const [until, from] = [next + 20, performance.now()]
      await vi.waitFor(async () => expect((await figures(server.url)).n).toBeGreaterThanOrEqual(until), {
        timeout: 60_000,
        interval: 50,
      })
      slowest.push(Math.round(performance.now() - from))
      const ready = await fetch(`${server.url}/health/ready`)
      expect(ready.status).toBe(200)
      replicas.freeze(i, false)
      await vi.waitFor(async () => expect(await out(server.url)).toBe(0), patience)
    }
    more = false
    await load
    console.log(JSON.stringify({ storedAgainAfterMs: slowest, events: next }))
    await vi.waitFor(async () => expect(await figures(server.url)).toEqual(once(0, next)), patience)
    expect(Math.max(...slowest)).toBeLessThan(30_000)
  }, 180_000)

  const perSecond = 5
  /** Reads at a steady rate, whatever becomes of those before. */
  async function readFor(url: string, ms: number) {
    const found = { reads: 0, late: 0, lastLateAtMs: 0, wrong: 0 }
    const read = async (at: number): Promise<void> => {
      const sentAt = performance.now()
      const answer = await ask(url, 'GET', `/v1/events?limit=5&where=data.n>=${found.reads++ % 400}`).catch(
        () => undefined,
      )
      await answer?.arrayBuffer()
      if (answer?.status !== 200 || answer.headers.has('splitstream-degraded')) found.wrong++
      if (performance.now() - sentAt < 1_000) return
      found.late++
      found.lastLateAtMs = at
    }
    const reads: Promise<void>[] = []
    const from = performance.now()
    for (let at = 0; at < ms; at += 1_000 / perSecond) {
      await delay(Math.max(0, from + at - performance.now()))
      reads.push(read(at))
    }
    await Promise.all(reads)
    return found
  }

  /** The same table for all that are started: each test has its own database. */
  let databases = 0
  const serve = async () => {
    const url = replicas.url.replace(/\w+$/, `server${++databases}`)
    return await start(await newDataDir(), { CLICKHOUSE_URL: url, CLICKHOUSE_CLUSTER: replicas.cluster })
  }
  const sent = async (url: string, from: number, count: number) =>
    expect((await post(url, from, count)).status).toBe(200)
})
