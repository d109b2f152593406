import { type Call, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { load } from '../../../src/registry.ts'
import { RefusedEvents } from '../adapters/refused-events.ts'
import { type Sagas, startSagas, startWorld, type World } from './events.fixture.ts'
import { discardRefused, findRefused, type RefusedDeps, replayRefused } from './settle-refused.ts'
import { tenant } from './worker.fixture.ts'

let world: World
let sagas: Sagas
let deps: RefusedDeps

beforeAll(async () => {
  world = await startWorld(load.ingest)
  sagas = await startSagas(world.url, world)
  deps = { refused: new RefusedEvents(world.postgres), ingest: world.ingest, logger: silentLogger }
})
afterEach(() => world.clear())
afterAll(async () => {
  await sagas.stop()
  await world.stop()
})

const call = (of = tenant): Call => ({
  tenant: of,
  principal: 'a-key',
  signal: new AbortController().signal,
  deadline: systemClock.monotonic() + 10_000,
})
const open = (of = tenant) => deps.refused.list(of, { settled: false, before: undefined, limit: 10 })
const all = () => deps.refused.list(tenant, { settled: true, before: undefined, limit: 10 })

/** A saga whose step emits an event without a type. */
async function emitBad(): Promise<string> {
  await sagas.publish('order', {
    trigger: { type: 'placed' },
    steps: [{ id: 'tell', emit: { type: '${input.type}', subject: 's' } }],
  })
  const type = ' '.repeat(2_000)
  await world.post([{ id: `${crypto.randomUUID()}`, type: 'placed', data: { type } }])
  await expect.poll(async () => (await open()).length, { timeout: 20_000 }).toBe(1)
  const [{ id } = { id: '' }] = await open()
  return id
}

it('a refused event is listed until it is sent, mended and with its id', async () => {
  const id = await emitBad()
  const { event } = await findRefused(deps, id, call())
  await expect(replayRefused(deps, id, {}, call())).rejects.toMatchObject({ code: 'EVENT_INVALID' })
  expect(await open()).toHaveLength(1)
  const mended = { ...(JSON.parse(event) as object), type: 'told' }
  const other = replayRefused(deps, id, { event: { ...mended, id: 'another' } }, call())
  await expect(other).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  const { refused, receipt } = await replayRefused(deps, id, { event: mended, note: 'a typo' }, call())
  expect(receipt.accepted).toBe(1)
  expect(refused).toMatchObject({ id, settled: 'sent', settledBy: 'a-key', note: 'a typo' })
  expect(await open()).toEqual([])
  expect(await all()).toMatchObject([{ id, settled: 'sent' }])
  await expect(replayRefused(deps, id, { event: mended }, call())).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(discardRefused(deps, id, undefined, call())).rejects.toMatchObject({ code: 'CONFLICT' })
})

it('a refused event is given up once, and it is known by whom', async () => {
  const id = await emitBad()
  const both = await Promise.allSettled([
    discardRefused(deps, id, 'old', call()),
    discardRefused(deps, id, 'old', call()),
  ])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  // Also by one who has seen it open.
  expect(await deps.refused.settle(tenant, id, { as: 'sent', by: 'late', note: undefined })).toBeUndefined()
  expect(await all()).toMatchObject([{ id, settled: 'discarded', settledBy: 'a-key', note: 'old' }])
})

it('a refused event is nobody else’s', async () => {
  const id = await emitBad()
  expect(await open('others')).toEqual([])
  for (const one of [id, '7777', 'x']) {
    await expect(discardRefused(deps, one, undefined, call('others'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }
  expect(await open()).toHaveLength(1)
})
