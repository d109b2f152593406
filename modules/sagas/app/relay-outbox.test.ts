import { decodeRow, type IngestAppend, openRecord } from '@splitstream/ingest/contract'
import { AppError, noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { load } from '../../../src/registry.ts'
import { aliasOf } from '../domain/alias.ts'
import { type Sagas, startSagas, startWorld, type World } from './events.fixture.ts'
import { OutboxRelay } from './relay-outbox.ts'
import { productPool, tenant } from './worker.fixture.ts'

let world: World
/** With the settings of the product. */
let pool: ReturnType<typeof connectPostgres>
const running: { stop(): Promise<void> }[] = []
/** Where the log ended before the test. */
let from: number[] = []

beforeAll(async () => {
  world = await startWorld(load.ingest)
  pool = connectPostgres({ ...productPool, url: world.url, applicationName: 'saga relay' })
})
afterAll(async () => {
  await pool?.close()
  await world?.stop()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()))
  await world.clear()
  from = world.log.stats().partitions.map(({ end }) => end)
})

const common = { clock: systemClock, logger: silentLogger, metrics: noMetrics }
const relay = (ingest: IngestAppend = world.ingest): OutboxRelay => {
  const one = new OutboxRelay({ ...common, postgres: pool, ingest })
  one.start()
  running.push(one)
  return one
}
const event = (n: number | string, more: object = {}) =>
  JSON.stringify({ specversion: '1.0', id: `${n}`, source: '/sagas/order', type: 'told', data: { n }, ...more })
const emit = (events: readonly string[], of = tenant) =>
  world.postgres.query('INSERT INTO outbox (tenant, event) SELECT $1, unnest($2::text[])', [of, events])
const trace = (n: number, span: number) => `00-${String(n).padStart(32, '0')}-${String(span).padStart(16, '0')}-01`
const emitTraced = (traces: readonly (string | null)[]) =>
  world.postgres.query(
    'INSERT INTO outbox (tenant, event, traceparent) SELECT $1, * FROM unnest($2::text[], $3::text[])',
    [tenant, traces.map((_, n) => event(n)), traces],
  )
/** An ingest that takes so long for each append, ms. */
const slow = (ms: number): IngestAppend => ({
  append: async (input, call) => {
    await systemClock.sleep(ms)
    return await world.ingest.append(input, call)
  },
})
const left = async () => (await world.postgres.query('SELECT 1 FROM outbox')).length
const refused = () =>
  world.postgres.query<{ tenant: string; event: string; code: string }>('SELECT * FROM outbox_refused ORDER BY id')
const until = (question: () => Promise<unknown>) => expect.poll(question, { timeout: 20_000 })

/** Tenant and id of what the log holds since the test began, in its order for each partition. */
async function appended(): Promise<string[]> {
  const found: string[] = []
  const consumption = await world.log.consume('test', async (lane) => {
    const { end } = await lane.bounds()
    for (let next = from[lane.partition] ?? 0; next < end; ) {
      for (const { bytes, baseOffset, count } of await lane.read(next, { maxEvents: 1e6, maxBytes: 1e9, waitMs: 0 })) {
        const record = openRecord(bytes)
        for (let i = 0; i < count; i++) {
          const { tenant, id } = decodeRow(record, i)
          found.push(`${tenant} ${id}`)
        }
        next = baseOffset + count
      }
    }
    await lane.commit(end)
    await systemClock.sleep(60_000, lane.signal).catch(() => undefined)
  })
  while ((world.log.stats().lag.test ?? 1) > 0) await systemClock.sleep(5)
  await consumption.stop()
  return found
}

describe('the relay', () => {
  it('sends what is in the outbox, in its order, each to its tenant', async () => {
    await emit(Array.from({ length: 1_200 }, (_, n) => event(n)))
    await emit([event('theirs')], 'others')
    relay()
    await until(left).toBe(0)
    const found = await appended()
    expect(found.filter((one) => one !== 'others theirs')).toEqual(Array.from({ length: 1_200 }, (_, n) => `acme ${n}`))
    expect(found).toContain('others theirs')
  })

  it('sends at once what a step emits, with the id of the step', async () => {
    const sagas: Sagas = await startSagas(world.url, world)
    running.push(sagas)
    await sagas.publish('order', {
      trigger: { type: 'placed' },
      steps: [{ id: 'tell', emit: { type: 'told', subject: '${input.n}', data: '${input}' } }],
    })
    await world.post([{ id: '1', type: 'placed', data: { n: 7 } }])
    await until(async () => (await world.sagas('order')).map(({ status }) => status)).toEqual(['completed'])
    await until(left).toBe(0)
    const alias = aliasOf({ tenant, saga: 'order', source: '/test', id: '1' })
    expect(await appended()).toContain(`acme ${alias}.tell`)
  })

  it('puts aside what ingest refuses, and sends the rest', async () => {
    const bad = [event('no type', { type: '' }), event('too large', { data: 'x'.repeat(1 << 20) }), '{"id":']
    await emit([event(1), bad[0]!, event(2), bad[1]!, event(3)])
    await emit([bad[2]!], 'others')
    relay()
    await until(left).toBe(0)
    expect((await appended()).sort()).toEqual(['acme 1', 'acme 2', 'acme 3'])
    const seen = await refused()
    expect(seen.map(({ event }) => event)).toEqual(bad)
    expect(seen.map(({ code }) => code)).toEqual([
      'EVENT_INVALID',
      'EVENT_TOO_LARGE',
      expect.stringMatching(/MALFORMED/),
    ])
  })

  it('appends what a traced saga emits as a part of its trace, and keeps the order of each', async () => {
    const traces = [null, trace(1, 1), null, trace(2, 1), trace(1, 2), null]
    await emitTraced(traces)
    const seen: [string | undefined, string[]][] = []
    relay({
      append: async (input, call) => {
        const events = JSON.parse(Buffer.from(input.body).toString()) as { id: string }[]
        seen.push([call.traceparent, events.map(({ id }) => id)])
        return await world.ingest.append(input, call)
      },
    })
    await until(left).toBe(0)
    expect(seen).toEqual([
      [undefined, ['0', '2', '5']],
      [trace(1, 1), ['1', '4']],
      [trace(2, 1), ['3']],
    ])
  })

  it('takes smaller batches when ingest takes no larger ones, and large events one by one', async () => {
    const small: IngestAppend = {
      append: async (input, call) => {
        if (JSON.parse(Buffer.from(input.body).toString()).length > 7)
          throw new AppError('BATCH_TOO_LARGE', 'at most 7')
        return await world.ingest.append(input, call)
      },
    }
    await emit(Array.from({ length: 100 }, (_, n) => event(n)))
    await emit(Array.from({ length: 8 }, (_, n) => event(`large ${n}`, { data: 'x'.repeat(1_000_000) })))
    relay(small)
    await until(left).toBe(0)
    expect(await appended()).toHaveLength(108)
    expect(await refused()).toEqual([])
  })

  it('keeps everything while ingest is away, and says so', async () => {
    let away = true
    const flaky: IngestAppend = {
      append: async (input, call) => {
        const receipt = away ? undefined : await world.ingest.append(input, call)
        if (receipt && Math.random() < 0.8) return receipt
        throw new AppError(away ? 'UNAVAILABLE' : 'UNKNOWN_OUTCOME', 'ingest is away')
      },
    }
    await emit([event(1), event(2)])
    const one = relay(flaky)
    await until(async () => one.failing).toBe('ingest is away')
    expect(await left()).toBe(2)
    away = false
    await until(left).toBe(0)
    await until(async () => one.failing).toBeUndefined()
    expect(new Set(await appended())).toEqual(new Set(['acme 1', 'acme 2']))
    expect(await refused()).toEqual([])
  })

  it('sends once what ingest takes long for', async () => {
    await emit([event(1), event(2)])
    relay(slow(3_500))
    await until(left).toBe(0)
    expect(await appended()).toEqual(['acme 1', 'acme 2'])
  })

  it('sends once what takes many appends', async () => {
    const traces = Array.from({ length: 250 }, (_, n) => trace(n + 1, 1))
    await emitTraced(traces)
    const one = relay(slow(16))
    await until(left).toBe(0)
    expect(await appended()).toEqual(traces.map((_, n) => `acme ${n}`))
    expect(one.failing).toBeUndefined()
  })

  it('is one at a time among many, so that the order stays', async () => {
    for (let i = 0; i < 4; i++) relay()
    for (let n = 0; n < 300; n += 10) {
      await emit(Array.from({ length: 10 }, (_, i) => event(n + i)))
      for (const one of running) if (one instanceof OutboxRelay && Math.random() < 0.7) one.wake()
    }
    await until(left).toBe(0)
    expect(await appended()).toEqual(Array.from({ length: 300 }, (_, n) => `acme ${n}`))
  })
})
