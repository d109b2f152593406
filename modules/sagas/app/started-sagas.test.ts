import { afterAll, beforeAll, expect, it } from 'vitest'
import { Definitions } from '../adapters/definitions.ts'
import { SagaRows } from '../adapters/saga-rows.ts'
import { startKey } from './start-key.ts'
import { type StartSearch, startedSagas } from './started-sagas.ts'
import { startDatabase, startWorker, tenant } from './worker.fixture.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof startWorker>>
/** By what they are called in the tests. */
const ids = new Map<string, string>()

beforeAll(async () => {
  database = await startDatabase()
  worker = await startWorker(database.url)
  for (const name of ['order', 'parcel']) {
    await worker.publish(name, { steps: [{ id: 'w', wait: { for: '1h' } }] })
    const start = async (what: string, key: Uint8Array) => {
      ids.set(`${name} ${what}`, (await worker.start(name, what, key)).id)
    }
    await start('k 1', startKey('request', tenant, name, 'k 1'))
    await start('other', startKey('request', tenant, name, 'other'))
    await start('event', startKey('event', tenant, name, '/a shop', 'e 1'))
  }
  await new Definitions(database.postgres).retire(tenant, 'parcel')
})
afterAll(async () => {
  await worker?.stop()
  await database?.stop()
})

/** As the list has them. */
async function find(search: StartSearch, of = tenant): Promise<string[]> {
  const { postgres } = database
  const found = await startedSagas({ postgres, definitions: new Definitions(postgres) }, of, search)
  const { sagas } = await new SagaRows(postgres).list(of, { ...search, ids: found, limit: 10 })
  return sagas.map((saga) => [...ids].find(([, id]) => id === saga.id)![0])
}

it('a saga is found by the key of its request, in one definition or in all', async () => {
  expect(await find({ name: 'order', key: 'k 1' })).toEqual(['order k 1'])
  expect(await find({ key: 'k 1' })).toEqual(['parcel k 1', 'order k 1'])
  expect(await find({ key: 'k' })).toEqual([])
  expect(await find({ key: 'e 1' })).toEqual([])
})

it('a saga is found by its event, whose source and id may have spaces', async () => {
  expect(await find({ startedBy: '/a shop e 1' })).toEqual(['parcel event', 'order event'])
  expect(await find({ name: 'parcel', startedBy: '/a shop e 1' })).toEqual(['parcel event'])
  expect(await find({ startedBy: '/a' })).toEqual([])
  expect(await find({ startedBy: '' })).toEqual([])
})

it('no saga of another tenant is found, and none that both have started', async () => {
  expect(await find({ name: 'order', key: 'k 1' }, 'others')).toEqual([])
  expect(await find({ key: 'k 1', startedBy: '/a shop e 1' })).toEqual([])
})

it('all are listed when it is not asked for', async () => {
  expect(await find({})).toHaveLength(6)
})
