import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { load } from '../../../src/registry.ts'
import { SagaRows } from '../adapters/saga-rows.ts'
import { type Sagas, startSagas, startWorld, type World } from './events.fixture.ts'
import { tenant } from './worker.fixture.ts'

let world: World
let sagas: Sagas
/** Saga, step and key of each call, in order. */
let calls: string[] = []
const participant = createServer((request, response) => {
  const of = (name: string) => String(request.headers[name])
  calls.push(`${of('splitstream-saga')} ${of('splitstream-step')} ${of('idempotency-key')}`)
  response.setHeader('content-type', 'application/json').end('{}')
})

beforeAll(async () => {
  world = await startWorld(load.ingest)
  participant.listen(0, '127.0.0.1')
  await once(participant, 'listening')
})
afterAll(async () => {
  participant.closeAllConnections()
  participant.close()
  await world.stop()
})
beforeEach(async () => {
  calls = []
  sagas = await startSagas(world.url, world)
})
afterEach(async () => {
  await sagas.stop()
  await world.clear()
})

const shop = () => ({ shop: { url: `http://127.0.0.1:${(participant.address() as AddressInfo).port}` } })
const publish = async () => {
  const call = { participant: 'shop', path: '/', body: { saga: '${saga.id}' } }
  await sagas.publish('parcel', { participants: shop(), steps: [{ id: 'pack', call, pivot: true }] })
  await sagas.publish('order', {
    participants: shop(),
    trigger: { type: 'placed' },
    steps: [
      { id: 'charge', call, pivot: true },
      { id: 'told', emit: { type: 'told', subject: '${saga.id}' } },
      { id: 'sent', child: { saga: 'parcel' } },
    ],
  })
}
const placed = (id: string) => ({ id, type: 'placed', data: {} })

const completed = async (n: number) => {
  await world.taken()
  await expect
    .poll(async () => (await world.sagas('order')).filter(({ status }) => status === 'completed').length, {
      timeout: 20_000,
    })
    .toBe(n)
  return await world.sagas('order')
}

it('an event that starts its saga once more, after a loss, says the same to everybody', async () => {
  await publish()
  await world.post([placed('1'), placed('2')])
  const first = await completed(2)
  const before = calls.toSorted()
  expect(new Set(before).size).toBe(4)
  expect(before.every((line) => first.every(({ id }) => !line.includes(id)))).toBe(true)

  await world.clear()
  await sagas.stop()
  sagas = await startSagas(world.url, world)
  await publish()
  calls = []
  await world.post([placed('2'), placed('1')])
  const second = await completed(2)
  expect(calls.toSorted()).toEqual(before)
  expect(second.map(({ id }) => id)).not.toEqual(first.map(({ id }) => id))
})

it('is found by what participants know it by, in its own tenant', async () => {
  await publish()
  await world.post([placed('1')])
  const [saga] = await completed(1)
  const rows = new SagaRows(world.postgres)
  const [alias] = calls.find((line) => line.includes(' charge '))!.split(' ')
  expect(alias).not.toBe(saga!.id)
  expect(await rows.find(tenant, alias!)).toMatchObject({ id: saga!.id })
  expect(await rows.find(tenant, saga!.id)).toMatchObject({ id: saga!.id })
  expect(await rows.find('others', alias!)).toBeUndefined()
})
