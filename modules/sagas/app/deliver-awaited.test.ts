import { type Postgres, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { load } from '../../../src/registry.ts'
import { earlyEvent, registerWait } from '../adapters/waits.ts'
import type { Json } from '../domain/json.ts'
import { deliverAwaited } from './deliver-awaited.ts'
import { type Sagas, startSagas, startWorld, type TestEvent, type World } from './events.fixture.ts'
import { waitKey } from './wait-key.ts'
import type { WantedEvent } from './wanted-event.ts'
import { tenant } from './worker.fixture.ts'
import type { SagaWorker } from './worker.ts'

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

const match = { 'data.order': '${input.order}' }
const payment = { id: 'payment', waitFor: { type: 'paid', match, timeout: '1m' } }
const flow = (...steps: readonly object[]) => ({ trigger: { type: 'placed' }, steps })
const placed = (order: Json): TestEvent => ({
  id: `placed ${String(order)}`,
  type: 'placed',
  data: { order },
})
const paid = (order: Json, id = `paid ${String(order)}`): TestEvent => ({
  id,
  type: 'paid',
  data: { order },
})
const until = (question: () => Promise<unknown>) => expect.poll(question, { timeout: 20_000 })
const statuses = async () => (await world.sagas('order')).map(({ status }) => status)
const waits = async () =>
  (await world.postgres.query<{ step: string }>('SELECT step FROM waits')).map(({ step }) => step)
/** What the steps that were awaited came to, saga by saga. */
const outputs = async () =>
  (await world.sagas('order')).map(({ entries }) =>
    entries.flatMap((entry) => (entry.e === 'done' && 'o' in entry ? [(entry.o as { id: string }).id] : [])),
  )

const fields = [{ field: 'data.order', read: () => 1 }]
const key = waitKey('paid', [['data.order', 1]])
const awaited: WantedEvent = {
  ...{ tenant, source: '/s', id: '1', name: '/s 1', receivedAt: Date.now() },
  ...{ text: '{"type":"paid"}', interest: { triggers: [], awaits: [fields] } },
  json: () => ({ type: 'paid' }),
}
const nobody = {
  worker: { readMail: () => undefined, look: () => undefined } as unknown as SagaWorker,
  onAwaited: () => undefined,
}
const idOf = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`

/** Sagas of a worker that lives: the one of this test looks for those whose owner is gone. */
async function makeHeld(count: number): Promise<void> {
  await world.postgres.query(
    `WITH owner AS (
       INSERT INTO workers (name, expires_at) VALUES ('another', clock_timestamp() + interval '1 hour') RETURNING id)
     INSERT INTO sagas (id, version, tenant, name, fence, owner, status, journal)
     SELECT s.id, 1, $2, 'order', 1, owner.id, 'running', '' FROM owner, unnest($1::uuid[]) AS s (id)`,
    [Array.from({ length: count }, (_, n) => idOf(n)), tenant],
  )
}

describe('an event that comes while a step begins to wait', () => {
  it('is seen by the step, or sees it, wherever the one stands when the other comes', async () => {
    const { postgres } = world
    for (const at of [0, 1, 2]) {
      await world.clear()
      await makeHeld(1)
      let seen: unknown
      let steps = 0
      const stepBegins = async (): Promise<void> => {
        await registerWait(postgres, { tenant, key, sagaId: idOf(0), step: 's', not: undefined }, '1')
        seen = await earlyEvent(postgres, { tenant, key, since: 0, not: undefined, taken: [] })
      }
      const persist = async <T>(work: () => Promise<T>): Promise<T> => {
        if (steps++ === at) await stepBegins()
        return await work()
      }
      await deliverAwaited([awaited], { ...nobody, postgres, persist })
      if (at === steps) await stepBegins()
      const mail = await postgres.query('SELECT 1 FROM mail')
      expect([at, seen !== undefined || mail.length > 0]).toEqual([at, true])
    }
  })
})

describe('an event that many sagas wait for', () => {
  const persist = async <T>(work: () => Promise<T>): Promise<T> => await work()
  /** All wait, those who have waited before as well; the event has started the last of them. */
  const wait = () =>
    world.postgres.query(
      `INSERT INTO waits (tenant, key, saga_id, step, not_event)
       SELECT $1, $2, id, 's', CASE WHEN id = $4 THEN '/s 1' END FROM unnest($3::uuid[]) AS id ON CONFLICT DO NOTHING`,
      [tenant, Buffer.from(key), [...all, idOf(39)], idOf(39)],
    )
  const mail = async () => {
    const rows = await world.postgres.query<{ id: string; tx: string }>(
      'SELECT saga_id AS id, xmin::text AS tx FROM mail ORDER BY id',
    )
    const sizes = [...Map.groupBy(rows, ({ tx }) => tx).values()].map((some) => some.length)
    return { to: rows.map(({ id }) => id).toSorted(), largest: Math.max(...sizes) }
  }
  const all = Array.from({ length: 39 }, (_, n) => idOf(n))
  const large = { ...awaited, text: JSON.stringify({ type: 'paid', data: 'x'.repeat(1_000) }) }

  it('reaches each once, few in a transaction, though they wait again and the process ends between two', async () => {
    await makeHeld(40)
    await wait()
    let left = 3
    const ending: Postgres = {
      ...world.postgres,
      tx: async (work) => {
        if (left-- === 0) throw new Error('the process ends')
        return await world.postgres.tx(work)
      },
    }
    const limits = { count: 7, size: 1e6 }
    const first = deliverAwaited([large], { ...nobody, postgres: ending, persist }, limits)
    await expect(first).rejects.toThrow('the process ends')
    expect((await mail()).to).toEqual(all.slice(0, 3 * 7))
    const waiting: Postgres = {
      ...world.postgres,
      tx: async (work) => {
        const result = await world.postgres.tx(work)
        await wait()
        return result
      },
    }
    await deliverAwaited([large], { ...nobody, postgres: waiting, persist }, limits)
    expect(await mail()).toEqual({ to: all, largest: 7 })
  })

  it('is sent to few at once when it is large', async () => {
    await makeHeld(40)
    await wait()
    const limits = { count: 500, size: 3.5 * large.text.length }
    await deliverAwaited([large], { ...nobody, postgres: world.postgres, persist }, limits)
    expect(await mail()).toEqual({ to: all, largest: 3 })
  })
})

describe('a step that waits for an event', () => {
  it('gets the one that comes after', async () => {
    await sagas.publish('order', flow(payment))
    await world.post([placed(1), placed(2)])
    await until(waits).toEqual(['payment', 'payment'])
    await world.post([paid(3), paid(2)])
    await until(statuses).toEqual(['running', 'completed'])
    await world.post([paid(1)])
    await until(statuses).toEqual(['completed', 'completed'])
    expect(await outputs()).toEqual([['paid 1'], ['paid 2']])
  })

  it('gets the one that came before it waited', async () => {
    await sagas.publish('order', flow({ id: 'pause', wait: { for: '500ms' } }, payment))
    await world.post([placed(1), paid(1)])
    await world.taken()
    expect(await waits()).toEqual([])
    await until(statuses).toEqual(['completed'])
    expect(await outputs()).toEqual([['paid 1']])
  })

  it('gets the one that came in the same batch, before or after what started the saga', async () => {
    await sagas.publish('order', flow(payment))
    const some = Array.from({ length: 40 }, (_, n) => n)
    await world.post(
      some.flatMap((n) => (n % 2 === 0 ? [placed(n), paid(n)] : [{ ...paid(n), subject: 's' }, placed(n)])),
    )
    await until(async () => (await statuses()).filter((status) => status === 'completed').length).toBe(some.length)
  })

  it('does not get what came before the event that started its saga', async () => {
    await sagas.publish('order', flow(payment))
    await world.post([paid(1, 'too early')])
    await systemClock.sleep(5)
    await world.post([placed(1)])
    await until(waits).toEqual(['payment'])
    await world.post([paid(1, 'right')])
    await until(outputs).toEqual([['right']])
  })

  it('does not get it when that is read late either', async () => {
    await sagas.publish('order', flow(payment))
    await world.post([placed(1)])
    await until(waits).toEqual(['payment'])
    const json = { specversion: '1.0', source: '/s', ...paid(1, 'too early') }
    const receivedAt = Date.now() - 60_000
    const late = { ...awaited, id: json.id, name: '/s too early', receivedAt, text: JSON.stringify(json) }
    let sent = 0
    const onAwaited = (_: number, delivered: number): void => {
      sent += delivered
    }
    const deps = { ...nobody, onAwaited }
    await deliverAwaited([late], { ...deps, postgres: world.postgres, persist: (work) => work() })
    expect(sent).toBe(1)
    await until(async () => await world.postgres.query('SELECT 1 FROM mail')).toEqual([])
    await until(waits).toEqual(['payment'])
    await world.post([paid(1, 'right')])
    await until(outputs).toEqual([['right']])
  })

  it('of a child gets what came after the start of the child, though all events are late', async () => {
    await sagas.publish('order', flow({ id: 'sub', child: { saga: 'part', input: '${input}' } }))
    await sagas.publish('part', { steps: [payment] })
    await sagas.stop()
    await world.post([placed(1)])
    await systemClock.sleep(300)
    sagas = await startSagas(world.url, world)
    await until(waits).toEqual(['payment'])
    const [part] = await world.sagas('part')
    const start = part!.entries.find((entry) => entry.e === 'start')
    expect(start?.from?.lag).toBeGreaterThanOrEqual(290)
    await world.post([paid(1)])
    await until(statuses).toEqual(['completed'])
  })

  it('tells numbers from texts, and takes only what is equal in all fields', async () => {
    const both = { id: 'payment', waitFor: { type: 'paid', match: { ...match, source: '/bank' }, timeout: '1m' } }
    await sagas.publish('order', flow(both))
    await world.post([placed('1'), placed(true)])
    await until(waits).toHaveLength(2)
    const source = '/bank'
    await world.post([
      { ...paid(1, 'a number'), source },
      { ...paid('1', 'another source'), source: '/other' },
      { ...paid('true', 'a text'), source },
      { ...paid(null, 'null'), source },
      { ...paid('1', 'first'), source },
      { ...paid(true, 'second'), source },
    ])
    await until(statuses).toEqual(['completed', 'completed'])
    expect(await outputs()).toEqual([['first'], ['second']])
  })

  it('is not given the event that started its saga, however often that comes', async () => {
    const self = { id: 'next', waitFor: { type: 'placed', match, timeout: '1m' } }
    await sagas.publish('order', { ...flow(self), trigger: { type: 'placed', when: "event.subject == 'first'" } })
    const first = { ...placed(1), subject: 'first' }
    for (let i = 0; i < 4; i++) await world.post([first, first])
    await until(waits).toEqual(['next'])
    await world.post([first, { ...placed(1), id: 'another', subject: 'second' }, first])
    await until(outputs).toEqual([['another']])
    expect(await statuses()).toEqual(['completed'])
  })

  it('gets no event that another step of its saga has got, however often that comes', async () => {
    const second = { ...payment, id: 'second' }
    await sagas.publish('order', flow(payment, second))
    await world.post([placed(1)])
    await until(waits).toEqual(['payment'])
    await world.post([paid(1), paid(1)])
    await until(waits).toEqual(['second'])
    await world.post([paid(1)])
    await world.taken()
    // The event has brought it off the list, and it is there once more.
    await until(waits).toEqual(['second'])
    expect(await outputs()).toEqual([['paid 1']])
    await world.post([paid(1, 'another')])
    await until(statuses).toEqual(['completed'])
    expect(await outputs()).toEqual([['paid 1', 'another']])
  })

  it('beside another one that waits for the same gets another event, in the order in which they are written', async () => {
    const steps = ['a', 'b', 'c'].map((id) => [{ ...payment, id }])
    await sagas.publish('order', flow({ id: 'all', parallel: steps }))
    await world.post([placed(1)])
    await until(async () => (await waits()).length).toBe(3)
    for (const id of ['first', 'second']) {
      await world.post([paid(1, id)])
      await until(async () => (await outputs())[0]).toContain(id)
    }
    await until(waits).toEqual(['c'])
    // Nobody has the saga, and it goes on with what was early for nobody else.
    await sagas.kill()
    sagas = await startSagas(world.url, world)
    await world.post([paid(1, 'first'), paid(1, 'third')])
    await until(statuses).toEqual(['completed'])
    const [saga] = await world.sagas('order')
    const taken = saga!.entries.flatMap((entry) => (entry.e === 'done' ? [[entry.s, entry.ev?.[1]]] : []))
    expect(taken).toEqual([
      ['a', 'first'],
      ['b', 'second'],
      ['c', 'third'],
    ])
  })

  it('gets the event that a step of another saga has got', async () => {
    const both = { ...payment, waitFor: { ...payment.waitFor, match: { 'data.order': 1 } } }
    await sagas.publish('order', flow(both))
    await world.post([placed(1), placed(2)])
    await until(async () => (await waits()).length).toBe(2)
    await world.post([paid(1)])
    await until(statuses).toEqual(['completed', 'completed'])
  })

  it('of another tenant gets nothing', async () => {
    await sagas.publish('order', flow(payment))
    await sagas.publish('order', flow(payment), 'others')
    await world.post([placed(1)])
    await until(waits).toEqual(['payment'])
    await world.post([paid(1)], 'others')
    await world.taken()
    await systemClock.sleep(200)
    expect(await statuses()).toEqual(['running'])
  })

  it('gets it though its version was replaced, and though nobody holds the saga', async () => {
    await sagas.publish('order', flow(payment))
    await world.post([placed(1)])
    await until(waits).toEqual(['payment'])
    await sagas.publish('order', { trigger: { type: 'placed' }, steps: [{ id: 'pause', wait: { for: '1ms' } }] })
    await sagas.stop()
    await world.post([paid(1)])
    sagas = await startSagas(world.url, world)
    await until(statuses).toEqual(['completed'])
    expect(await outputs()).toEqual([['paid 1']])
  })

  it('gets each event once, whatever happens to the processes', async () => {
    const count = 60
    await sagas.publish(
      'order',
      flow({ id: 'pause', wait: { for: '20ms' } }, payment, { id: 'end', wait: { for: '1ms' } }),
    )
    for (let n = 0; n < count; n++) {
      await world.post(n % 2 === 0 ? [placed(n), paid(n)] : [placed(n)])
      if (n % 3 === 0) await world.post([paid(n), placed(n)])
      if (n % 20 === 10) {
        await sagas.kill()
        sagas = await startSagas(world.url, world)
      }
    }
    await world.post(Array.from({ length: count }, (_, n) => paid(n)))
    await until(async () => (await statuses()).filter((status) => status === 'completed').length).toBe(count)
    const found = await outputs()
    expect(found.every((ids) => ids.length === 1)).toBe(true)
    expect(new Set(found.flat()).size).toBe(count)
  })
})
