import { afterAll, beforeAll, expect, it } from 'vitest'
import { isEnded, SagaWorld } from './sagas.fixture.ts'

let world: SagaWorld
beforeAll(async () => {
  world = await SagaWorld.start({}, { env: { SAGA_PORTS: '8443, 9443' } })
})
afterAll(() => world?.close())

const calling = (url: string) => ({
  participants: { other: { url, timeout: '2s' } },
  steps: [{ id: 'call', call: { participant: 'other', path: '/' }, retry: { attempts: 1 } }],
})

it('no port of the internet is called that SAGA_PORTS does not list', async () => {
  await world.publish('outside', calling('https://93.184.215.14'))
  const { turned, steps } = await world.until(await world.begin('outside'), isEnded)
  expect(turned).toMatchObject({ code: 'FORBIDDEN_ADDRESS', detail: expect.stringMatching(/:443 .*SAGA_PORTS$/) })
  expect(steps).toMatchObject([{ effect: 'none' }])
})

it('what SAGA_ALLOW_PRIVATE names is called at any port', async () => {
  await world.publish('order')
  const order = { orderId: '1', amount: 10, quantity: 1, country: 'BE' }
  expect(await world.until(await world.begin('order', order), isEnded)).toMatchObject({ status: 'completed' })
})
