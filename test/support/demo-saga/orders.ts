import type { Misbehaviour, StubCall } from '@splitstream/sagas/kit/demo'

export interface Order {
  readonly orderId: string
  readonly amount: number
  readonly quantity: number
  readonly country: string
  readonly story: string
}

/** What is ordered, and what goes wrong with it. */
export const orders: readonly Order[] = [
  { orderId: 'order-1', amount: 99.5, quantity: 2, country: 'BE', story: 'all goes well' },
  { orderId: 'order-2', amount: 25, quantity: 1, country: 'AQ', story: 'nothing is shipped there: released, refunded' },
  { orderId: 'order-3', amount: 40, quantity: 3, country: 'NL', story: 'payments fails twice, and works then' },
  { orderId: 'order-4', amount: 60, quantity: 1, country: 'DE', story: 'it is charged, and the answer gets lost' },
  { orderId: 'order-5', amount: 75, quantity: 500, country: 'FR', story: 'there is no stock: refunded' },
  { orderId: 'order-6', amount: 20_000, quantity: 1, country: 'FR', story: 'the card is declined: nothing to undo' },
  { orderId: 'order-7', amount: 30, quantity: 1, country: 'AQ', story: 'the refund fails, and is tried again' },
]

/** Which calls of an order go wrong, in turn: service and operation, then how. */
const faults: Readonly<Record<string, readonly [string, Misbehaviour][]>> = {
  'order-3': [
    ['payments do', { fail: 'before' }],
    ['payments do', { fail: 'before' }],
  ],
  'order-4': [['payments do', { fail: 'after' }]],
  'order-7': [['payments undo', { fail: 'before' }]],
}

/** Each fault happens once. */
export function misbehaves(): (call: StubCall) => Misbehaviour | undefined {
  const left = new Map(Object.entries(faults).map(([order, list]) => [order, [...list]]))
  return ({ service, operation, body }) => {
    const own = left.get((body as { orderId?: string }).orderId ?? '')
    const at = own?.findIndex(([call]) => call === `${service} ${operation}`) ?? -1
    return own && at >= 0 ? own.splice(at, 1)[0]?.[1] : undefined
  }
}
