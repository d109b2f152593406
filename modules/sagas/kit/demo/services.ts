import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import type { Handler, ParticipantCall, Reply } from '../participant/index.ts'
import { enter, type LedgerEntry, type Service } from './ledger.ts'

export interface Step {
  readonly service: Service
  readonly do: { readonly path: string; readonly run: Handler<DatabaseSync> }
  /** Absent: what is done stays. */
  readonly undo?: { readonly path: string; readonly run: Handler<DatabaseSync> }
}

const order = z.object({
  orderId: z.string().min(1).max(128),
  amount: z.number().positive().optional(),
  quantity: z.int().positive().optional(),
  country: z.string().optional(),
})

type Order = z.infer<typeof order>
const answered = z.object({ amount: z.number() })

/** What business says: undefined when it agrees. */
type Rule = (of: Order) => { status: number; code: string; detail: string } | undefined

const rules: Record<Service, Rule> = {
  payments: ({ amount = 0 }) =>
    amount > 0 && amount <= 10_000
      ? undefined
      : { status: 402, code: 'CARD_DECLINED', detail: 'Charges are between 0.01 and 10,000' },
  stock: ({ quantity = 0 }) =>
    quantity > 0 && quantity <= 100
      ? undefined
      : { status: 400, code: 'OUT_OF_STOCK', detail: 'Reservations are between 1 and 100 pieces' },
  shipping: ({ country }) =>
    country === 'AQ' ? { status: 400, code: 'NOT_SERVED', detail: 'Nothing is shipped to Antarctica' } : undefined,
}

/** The steps of the demo. `refuses` says no for whatever reason a test has. */
export function stepsOf(refuses: (service: Service, call: ParticipantCall) => boolean): Step[] {
  const forward =
    (service: Service, effect: LedgerEntry['effect'], amountOf: (of: Order) => number) =>
    (db: DatabaseSync, call: ParticipantCall): Reply => {
      const parsed = order.safeParse(call.body)
      if (!parsed.success) return refusal(400, 'ORDER_INVALID', z.prettifyError(parsed.error))
      const amount = amountOf(parsed.data)
      enter(db, { service, saga: call.saga, orderId: parsed.data.orderId, effect, amount })
      // What is refused is rolled back, so the entry may come first.
      const no = rules[service](parsed.data)
      if (no) return refusal(no.status, no.code, no.detail)
      if (refuses(service, call)) return refusal(400, 'REFUSED', `${service} refuses this order`)
      return { status: 201, body: { id: `${effect}-${randomUUID()}`, amount } }
    }
  /** Takes back what the forward call answered, without a look at the ledger: the barrier lets it come once. */
  const back =
    (service: Service, effect: LedgerEntry['effect']) =>
    (db: DatabaseSync, { saga, body, done }: ParticipantCall): undefined => {
      const { amount } = answered.parse(done?.body)
      enter(db, { service, saga, orderId: order.parse(body).orderId, effect, amount: -amount })
    }
  return [
    {
      service: 'payments',
      do: { path: '/payments/charges', run: forward('payments', 'charge', ({ amount = 0 }) => amount) },
      undo: { path: '/payments/refunds', run: back('payments', 'refund') },
    },
    {
      service: 'stock',
      do: { path: '/stock/reservations', run: forward('stock', 'reserve', ({ quantity = 0 }) => quantity) },
      undo: { path: '/stock/releases', run: back('stock', 'release') },
    },
    { service: 'shipping', do: { path: '/shipping/shipments', run: forward('shipping', 'ship', () => 1) } },
  ]
}

function refusal(status: number, code: string, detail: string): Reply {
  return { status, headers: { 'content-type': 'application/problem+json' }, body: { status, code, detail } }
}
