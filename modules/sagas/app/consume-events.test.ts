import { type Lane, type LogReader, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { load } from '../../../src/registry.ts'
import { ensurePartitions } from '../adapters/partitions.ts'
import { forgetSagas } from '../adapters/retention.ts'
import { type Sagas, startSagas, startWorld, type World } from './events.fixture.ts'

let world: World
let sagas: Sagas

beforeAll(async () => {
  world = await startWorld(load.ingest)
})
afterAll(() => world.stop())
beforeEach(async () => {
  sagas = await startSagas(world.url, world)
})
afterEach(async () => {
  await sagas.stop()
  await world.clear()
})

const restart = async (log: LogReader = world.log) => {
  await sagas.stop()
  sagas = await startSagas(world.url, { ...world, log })
}

/** The real log, whose lanes do something else in places. */
const withLanes = (change: (lane: Lane) => Partial<Lane>): LogReader => ({
  ...world.log,
  consume: (group, handler) => world.log.consume(group, (lane) => handler({ ...lane, ...change(lane) })),
})

const pause = { id: 'pause', wait: { for: '1ms' } }
const placed = (n: number, more: object = {}) => ({ id: `${n}`, type: 'placed', data: { n }, ...more })
const inputs = async (name: string, of?: string) => (await world.sagas(name, of)).map(({ input }) => input)
const until = (question: () => Promise<unknown>) => expect.poll(question, { timeout: 20_000 })

describe('a trigger', () => {
  it('starts one saga for each event, however often it comes', async () => {
    await sagas.publish('order', { trigger: { type: 'placed', when: 'event.data.n > 1' }, steps: [pause] })
    const events = [placed(1), placed(2), placed(3)]
    for (let i = 0; i < 5; i++) await world.post(i % 2 === 0 ? events : [...events, ...events])
    await world.post([placed(4, { type: 'other' })])
    await world.post([placed(5)], 'others')
    await world.taken()
    const found = await world.sagas('order')
    expect(found.map(({ input, event }) => [input, event])).toEqual([
      [{ n: 2 }, '/test 2'],
      [{ n: 3 }, '/test 3'],
    ])
    expect(await world.sagas('order', 'others')).toEqual([])
  })

  it('starts none for an event that is sent again when its saga is kept no more', async () => {
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await world.post([placed(1)])
    await world.taken()
    expect(await inputs('order')).toHaveLength(1)
    const week = 7 * 86_400_000
    const ahead = Date.now() + 2 * week
    const kept = await world.postgres.query('SELECT key FROM starts')
    await world.postgres.query('UPDATE sagas SET ended_at = now(), owner = NULL, due_at = NULL')
    await forgetSagas(world.postgres, { before: ahead, keysBefore: Date.now() - week, goesOn: () => true })
    expect(await inputs('order')).toHaveLength(0)
    expect(await world.postgres.query('SELECT key FROM starts')).toEqual(kept)
    await ensurePartitions(world.postgres, Date.now())
    await world.post([placed(1), placed(2)])
    await world.taken()
    expect(await inputs('order')).toEqual([{ n: 2 }])
  })

  it('starts a saga for each definition and tenant that has it, with the input that it maps', async () => {
    await sagas.publish('one', { trigger: { type: 'placed' }, steps: [pause] })
    await sagas.publish('two', {
      trigger: { type: 'placed', input: { from: '${event.source}#${event.id}', double: '${event.data.n * 2.0}' } },
      steps: [pause],
    })
    await sagas.publish('one', { trigger: { type: 'placed', input: '${event.data.n}' }, steps: [pause] }, 'others')
    await world.post([placed(1)])
    await world.post([placed(7)], 'others')
    await world.taken()
    expect(await inputs('one')).toEqual([{ n: 1 }])
    expect(await inputs('two')).toEqual([{ from: '/test#1', double: 2 }])
    expect(await inputs('one', 'others')).toEqual([7])
  })

  it('hands the trace of the event on, if it is one', async () => {
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await world.post([placed(1, { traceparent }), placed(2, { traceparent: 'not one' })])
    await world.taken()
    const traces = (await world.sagas('order')).map(({ entries }) => {
      const [start] = entries
      return start?.e === 'start' ? start.from?.trace : undefined
    })
    expect(traces.sort()).toEqual([traceparent, undefined])
  })

  it('does not count for what came before it was there', async () => {
    await sagas.publish('first', { trigger: { type: 'placed' }, steps: [pause] })
    await world.post([placed(1)])
    await systemClock.sleep(5)
    await sagas.publish('later', { trigger: { type: 'placed' }, steps: [pause] })
    // From the beginning, as after a loss of the group's offsets.
    await restart(withLanes(() => ({ committed: async () => 0 })))
    await world.post([placed(2)])
    await world.taken()
    expect(await inputs('first')).toEqual([{ n: 1 }, { n: 2 }])
    expect(await inputs('later')).toEqual([{ n: 2 }])
  })

  it('counts from version to version, and not while it is retired', async () => {
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await world.taken()
    await sagas.stop()
    // Nobody consumes: the event came before the newest version, and after the first with this trigger.
    await world.post([placed(1)])
    await systemClock.sleep(5)
    sagas = await startSagas(world.url, {
      ...world,
      log: { partitions: 2, end: world.log.end, consume: async () => ({ stop: async () => undefined }) },
    })
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause, { ...pause, id: 'again' }] })
    await restart()
    await world.taken()
    expect((await world.sagas('order')).map(({ version, input }) => [version, input])).toEqual([[2, { n: 1 }]])

    await sagas.retire('order')
    await world.post([placed(2)])
    await world.taken()
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await restart(withLanes(() => ({ committed: async () => 0 })))
    await world.post([placed(3)])
    await world.taken()
    expect(await inputs('order')).toEqual([{ n: 1 }, { n: 3 }])
  })

  it('whose expressions cannot be evaluated starts a saga that says so, and holds up nothing', async () => {
    await sagas.publish('order', { trigger: { type: 'placed', when: 'event.data.total > 1' }, steps: [pause] })
    await world.post([placed(1), placed(2, { data: { total: 2 } }), placed(3, { data: { total: 'many' } })])
    await world.taken()
    const found = await world.sagas('order')
    const seen = found.map(({ event, status, problem }) => [event, status, problem?.slice(0, 16)])
    await until(async () => (await world.sagas('order')).find(({ event }) => event === '/test 2')?.status).toBe(
      'completed',
    )
    expect(seen[0]).toEqual(['/test 1', 'needs_attention', 'saga: EXPRESSION'])
    expect(seen[2]).toEqual(['/test 3', 'needs_attention', 'saga: EXPRESSION'])
    expect([found[0]?.owner, found[0]?.due_at]).toEqual([null, null])
  })

  it('whose input would be too large says so in its saga', async () => {
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await world.post([placed(1, { data: 'x'.repeat(70_000) }), placed(2, { data: 'x'.repeat(60_000) })])
    await world.taken()
    const found = await world.sagas('order')
    expect(found.map(({ event, problem }) => [event, problem?.slice(0, 21)])).toEqual([
      ['/test 1', 'saga: INPUT_TOO_LARGE'],
      ['/test 2', undefined],
    ])
  })

  it('waits while the worker has no lease', async () => {
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await world.post([placed(1)])
    await world.taken()
    // The lease cannot be renewed, and is over after three seconds.
    await world.postgres.tx(async (tx) => {
      await tx.query('LOCK TABLE workers IN ACCESS EXCLUSIVE MODE')
      await until(async () => sagas.module.health().reason).toMatch(/no lease/)
      await world.post([placed(2), placed(3)])
      await until(async () => sagas.module.health().state).toBe('degraded')
      await systemClock.sleep(500)
      expect(await inputs('order')).toEqual([{ n: 1 }])
    })
    await world.taken()
    expect(await inputs('order')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    await until(async () => sagas.module.health()).toEqual({ state: 'ok' })
  })
})

describe('a log of which nobody wants anything', () => {
  it('is not read, and nothing is left of it; what is wanted after that is not missed', async () => {
    let reads = 0
    await restart(
      withLanes((lane) => ({
        read: (from, limits) => {
          reads++
          return lane.read(from, limits)
        },
      })),
    )
    await sagas.publish('by-hand', { steps: [pause] })
    for (let n = 0; n < 20; n++) {
      await world.post([placed(n)])
      await systemClock.sleep(100)
    }
    await world.taken()
    expect(reads).toBe(0)
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    await world.post([placed(100)])
    await until(() => inputs('order')).toEqual([{ n: 100 }])
    expect(reads).toBeGreaterThan(0)
    await sagas.retire('order')
    await world.post([placed(101)])
    await world.taken()
    await systemClock.sleep(1_500)
    const before = reads
    await world.post([placed(102)])
    await world.taken()
    expect(reads).toBe(before)
  })

  it('is left with nothing in it at a stop', async () => {
    await world.taken()
    await world.post([placed(1)])
    await sagas.stop()
    expect(world.log.stats().lag.sagas).toBe(0)
    sagas = await startSagas(world.url, world)
  })

  it('is asked for its end before anybody is asked what they want', async () => {
    let armed = false
    await restart(
      withLanes((lane) => ({
        bounds: async () => {
          if (armed) {
            armed = false
            await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
            await world.post(Array.from({ length: 16 }, (_, n) => placed(n, { subject: `${n}` })))
          }
          return await lane.bounds()
        },
      })),
    )
    armed = true
    await until(async () => (await world.sagas('order')).length).toBe(16)
  })

  it('is read from the very event that follows a publication', async () => {
    for (let n = 0; n < 20; n++) {
      await systemClock.sleep(Math.random() * 100)
      await sagas.publish(`order-${n}`, { trigger: { type: `placed-${n}` }, steps: [pause] })
      await world.post([placed(n, { type: `placed-${n}` })])
      await until(() => inputs(`order-${n}`)).toEqual([{ n }])
      await sagas.retire(`order-${n}`)
    }
  })
})

describe('many events, some of them again, and a consumer that keeps failing', () => {
  it('start exactly one saga each', async () => {
    const [count, batch] = [3_000, 100]
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [pause] })
    let commits = 0
    const flaky = withLanes((lane) => ({
      commit: async (next) => {
        if ([1, 2, 4].includes(++commits)) throw new Error('killed after the effect, before its offset was kept')
        await lane.commit(next)
      },
    }))
    await restart(flaky)
    for (let from = 0; from < count; from += batch) {
      const fresh = Array.from({ length: batch }, (_, i) => placed(from + i))
      const again = Array.from({ length: 1 + Math.random() * 3 }, () => placed(Math.floor(Math.random() * from)))
      // With another subject it may be in another partition.
      await world.post([...fresh, ...again, placed(from, { subject: `${from}` })])
      if (from % 1_000 !== 500) continue
      await sagas.kill()
      sagas = await startSagas(world.url, { ...world, log: flaky })
    }
    await world.taken()
    const found = await inputs('order')
    expect(found).toHaveLength(count)
    expect(new Set(found.map((input) => JSON.stringify(input))).size).toBe(count)
    expect(commits).toBeGreaterThan(4)
    await until(async () => (await world.sagas('order')).every(({ status }) => status === 'completed')).toBe(true)
  })
})
