/* The saga that is measured: charge → reserve → ship an order; when ship is refused, release and refund. */
export interface Order {
  readonly order: string
  /** Cents. */
  readonly amount: number
  readonly courier: string
}

export type Operation = 'charge' | 'reserve' | 'ship' | 'release' | 'refund'
export type Outcome = 'completed' | 'compensated'

/** The forward calls in their order, with what undoes each. */
export const steps: readonly { readonly call: Operation; readonly undo?: Operation }[] = [
  { call: 'charge', undo: 'refund' },
  { call: 'reserve', undo: 'release' },
  { call: 'ship' },
]

/** The participant refuses to ship with it, so the load decides which orders are compensated. */
export const unknownCourier = 'none'

/** Order `n` of a round: one in ten is compensated. */
export function orderOf(round: string, n: number): Order {
  return { order: `${round}-${n}`, amount: 100 + (n % 50), courier: n % 10 === 7 ? unknownCourier : 'post' }
}

export const expectedOutcome = ({ courier }: Order): Outcome =>
  courier === unknownCourier ? 'compensated' : 'completed'
