import { noMetrics, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { load } from '../../../src/registry.ts'
import { startSagas, startWorld, type World } from './events.fixture.ts'

let world: World
let sagas: Awaited<ReturnType<typeof startSagas>>

beforeAll(async () => {
  const ingest = await load.ingest()
  world = await startWorld(
    (log) =>
      ingest({
        ...{ log, clock: systemClock, metrics: noMetrics, storage: { awaitStored: () => Promise.reject() } },
        limits: { maxEvents: 10_000, maxEventBytes: 1 << 20, maxNameBytes: 1_024, maxAheadMs: 86_400_000 },
      }).ports.append,
  )
})
afterAll(() => world.stop())
beforeEach(async () => {
  sagas = await startSagas(world.url, world)
})
afterEach(async () => {
  await sagas.stop()
  await world.postgres.query(
    'TRUNCATE definitions, sagas, starts, mail, waits, early_events, locks, workers, outbox, outbox_refused',
  )
})

const pause = { id: 'pause', wait: { for: '1ms' } }

describe('a trigger', () => {
  it('starts one saga for each event, however often it comes', async () => {
    await sagas.publish('order', { trigger: { type: 'placed', when: 'event.data.n > 1' }, steps: [pause] })
    const events = [1, 2, 3].map((n) => ({ id: `${n}`, type: 'placed', data: { n } }))
    for (let i = 0; i < 5; i++) await world.post(i % 2 === 0 ? events : [...events, ...events])
    await world.post([{ id: '4', type: 'other', data: { n: 4 } }])
    await world.post([{ id: '5', type: 'placed', data: { n: 5 } }], 'others')
    await world.taken()
    const found = await world.sagas('order')
    expect(found.map(({ input, event }) => [input, event]).sort()).toEqual([
      [{ n: 2 }, '/test 2'],
      [{ n: 3 }, '/test 3'],
    ])
    expect(await world.sagas('order', 'others')).toEqual([])
  })
})
