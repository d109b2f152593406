import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { startDatabase, startParticipant, startWorker } from './worker.fixture.ts'

/** For the tests of one file: a database, a participant, and for each test a worker, with nothing in the tables. */
export let database: Awaited<ReturnType<typeof startDatabase>>
export let shop: Awaited<ReturnType<typeof startParticipant>>
export let one: Awaited<ReturnType<typeof startWorker>>
const others: (typeof one)[] = []

beforeAll(async () => {
  ;[database, shop] = await Promise.all([startDatabase(), startParticipant()])
})
afterAll(async () => {
  shop.stop()
  await database.stop()
})
beforeEach(async () => {
  shop.reset()
  one = await startWorker(database.url, { name: 'one' })
})
afterEach(async () => {
  await Promise.all([one, ...others.splice(0)].map((worker) => worker.stop().catch(() => undefined)))
  await database.postgres.query('TRUNCATE sagas, starts, mail, locks, lock_waiters, waits, workers, outbox')
})

/** Stopped after the test. */
export const another = async (name: string, capacity = 100) => {
  const worker = await startWorker(database.url, { name, capacity })
  others.push(worker)
  return worker
}

export const call = (path: string, more: object = {}) => ({ participant: 'shop', path, body: { at: path }, ...more })
export const define = (steps: readonly object[], more: object = {}) => ({
  participants: { shop: { url: shop.url, timeout: '5s' } },
  steps,
  ...more,
})
export const order = () =>
  define([
    { id: 'charge', call: call('/charge'), compensate: call('/refund') },
    { id: 'reserve', call: call('/reserve'), compensate: call('/release') },
    { id: 'ship', call: call('/ship') },
  ])
