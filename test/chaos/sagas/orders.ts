import type { Random } from '../random.ts'
import { accounts, items, type Operation, type Order, refusals } from './ledger/operations.ts'

/** Definitions that take an order (folder definitions), and what each does to it, in the order in which its steps begin. */
export const kinds = {
  order: ['charge', 'reserve', 'label', 'ship', 'capture'],
  locked: ['reserve', 'charge', 'label', 'ship', 'capture'],
  family: ['charge', 'reserve', 'label', 'clear', 'ship', 'capture'],
  chosen: ['charge', 'label', 'reserve', 'ship', 'capture'],
  triggered: ['charge', 'reserve', 'label', 'ship', 'capture'],
  slow: ['charge', 'reserve', 'capture'],
  stuck: ['charge', 'label', 'reserve', 'clear'],
} as const satisfies Record<string, readonly Operation[]>

export type Kind = keyof typeof kinds

/** A saga that a client wants, once. */
export interface Wanted {
  /** Its Idempotency-Key. */
  readonly key: string
  readonly kind: Kind
  readonly order: Order
}

/** A participant refuses one of its steps for good: it has to be undone. */
export const isRefused = ({ kind, order }: Wanted): boolean =>
  kinds[kind].some((operation: Operation) => refusals[operation] === order.courier)

/** Orders whose names begin with `prefix`. */
export function makeOrders(random: Random, prefix: string, count: number): Wanted[] {
  return Array.from({ length: count }, (_, i) => {
    const order = {
      order: `${prefix}${i}`,
      account: random.pick(accounts),
      amount: random.int(1, 100),
      item: random.pick(items),
      courier: random.pick(['post', 'post', 'post', 'none', 'closed']),
    }
    const kind = random.pick(['order', 'order', 'locked', 'family', 'family', 'chosen'] as const)
    return { key: `key-${prefix}${i}`, kind, order }
  })
}
