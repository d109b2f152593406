import type { LedgerEntry } from '@splitstream/sagas/kit/demo'
import { table } from '../../../src/cli/table.ts'
import type { Order } from './orders.ts'

/** What the services did, order by order. */
export function ledgerText(ledger: readonly LedgerEntry[]): string {
  const rows = [...Map.groupBy(ledger, ({ orderId }) => orderId)].map(([order, entries]) => ({
    order,
    effects: entries.map(({ effect }) => effect).join(', '),
    charged: sum(entries, 'payments'),
    reserved: sum(entries, 'stock'),
    shipped: sum(entries, 'shipping'),
  }))
  const total = {
    order: 'all',
    effects: '',
    charged: sum(ledger, 'payments'),
    reserved: sum(ledger, 'stock'),
    shipped: sum(ledger, 'shipping'),
  }
  return `The ledger of the services\n\n${table(['order', 'effects', 'charged', 'reserved', 'shipped'], [...rows, total])}\n`
}

/** Every order was charged, reserved and shipped once, or not at all. What does not hold, in words. */
export function checkLedger(
  ledger: readonly LedgerEntry[],
  run: readonly { order: Order; saga: { readonly status: string } }[],
): string[] {
  return run.flatMap(({ order, saga: { status } }) => {
    if (status !== 'completed' && status !== 'compensated') return [`${order.orderId} has not ended: ${status}`]
    const own = ledger.filter(({ orderId }) => orderId === order.orderId)
    const times = status === 'completed' ? 1 : 0
    const expected = [order.amount * times, order.quantity * times, times]
    const found = [sum(own, 'payments'), sum(own, 'stock'), sum(own, 'shipping')]
    if (found.every((value, i) => value === expected[i])) return []
    return [`${order.orderId} is ${status}, and charged, reserved and shipped are ${found.join(', ')}`]
  })
}

function sum(entries: readonly LedgerEntry[], service: LedgerEntry['service']): number {
  return entries.filter((entry) => entry.service === service).reduce((total, { amount }) => total + amount, 0)
}
