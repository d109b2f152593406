import { cel, orElse, saga } from './index.ts'

interface Order {
  id: string
  total: number
  mail?: string
}

export const order = saga('order')
  .input<Order>()
  .participants({
    payments: { url: 'https://payments.internal', timeout: '5s' },
    shipping: { url: 'http://shipping.internal:9001' },
  })
  .trigger('order.placed')
  .steps((s) =>
    s
      .call('charge', ({ input, own }) => ({
        participant: 'payments',
        path: `/orders/${input.id}/charges`,
        body: { cents: cel`${input.total} * 100` },
        output: ({ response }) => ({ id: cel<string>`${response.body('id')}` }),
        compensate: {
          participant: 'payments',
          path: `/orders/${input.id}/refunds`,
          body: { charge: orElse(own('id'), null) },
        },
      }))
      .choice('size', (c) =>
        c.when(
          ({ input }) => cel`${input.total} > 10000`,
          (b) =>
            b.waitFor('approved', ({ input }) => ({
              type: 'order.approved',
              match: { subject: input.id },
              timeout: '2d',
              output: ({ event }) => event.data('by'),
            })),
        ),
      )
      .call('ship', ({ steps, input }) => ({
        participant: 'shipping',
        path: '/parcels',
        body: { paid: steps.charge.id, by: orElse(steps.approved, 'nobody'), mail: orElse(input.mail, null) },
        pivot: true,
      })),
  )
  .output(({ steps }) => ({ parcel: steps.ship('id') }))
