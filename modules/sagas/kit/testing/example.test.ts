import { expect, it } from 'vitest'
import { orderSaga } from '../demo/index.ts'
import { hang, simulate } from './index.ts'

const definition = orderSaga({ url: 'http://127.0.0.1:8090' })

/* The example of docs/saga-testing.md. */
it('refunds and releases what cannot be shipped, also when the charge had no answer', async () => {
  const charges = [hang({ effect: true }), { status: 201, body: { id: 'ch-1' } }]
  const run = simulate(definition, {
    input: { orderId: 'o-1', amount: 1250, quantity: 2, country: 'BE' },
    participants: {
      payments: ({ path }) => (path === '/charges' ? charges.shift()! : { status: 204 }),
      stock: () => ({ status: 201 }),
      shipping: () => ({ status: 402 }),
    },
  })
  expect(await run.untilEnd()).toBe('compensated')
  expect(run.effects).toEqual(['charge.do', 'reserve.do', 'reserve.undo', 'charge.undo'])
})
