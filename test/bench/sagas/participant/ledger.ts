import { type Operation, type Order, unknownCourier } from '../order.ts'
import type { Answer } from './keys.ts'

/** How often each effect happened to an order. */
type Effects = Record<Operation, number> & { amount: number }

export interface Audit {
  /** Orders whose effects are those of a saga that completed, or that was undone as a whole. */
  readonly completed: number
  readonly compensated: number
  /** What no saga may leave behind; the first ten. */
  readonly wrong: readonly string[]
  readonly wrongCount: number
  /** Requests that a remembered key answered. */
  readonly replays: number
}

const refused: Answer = { status: 404, body: '{"code":"COURIER_UNKNOWN"}' }

/** Accounts, stock and shipments: every effect is counted, so that none can happen twice or stay half undone unseen. */
export class Ledger {
  readonly #orders = new Map<string, Effects>()
  /** Cents; what the merchant has, the customers have less. */
  #merchant = 0

  /** Carries out one operation, whatever was before: once is the caller's duty, and what is judged. */
  apply(operation: Operation, { order, amount, courier }: Order): Answer {
    if (operation === 'ship' && courier === unknownCourier) return refused
    const effects = this.#effects(order, amount)
    // An undo of what never happened is accepted and has no effect.
    const empty = (operation === 'refund' && effects.charge === 0) || (operation === 'release' && effects.reserve === 0)
    if (!empty) effects[operation]++
    if (operation === 'charge') this.#merchant += amount
    if (operation === 'refund' && !empty) this.#merchant -= amount
    return { status: 200, body: `{"${operation}":"${order}"}` }
  }

  audit(replays: number): Audit {
    const wrong: string[] = []
    let [completed, compensated, due] = [0, 0, 0]
    for (const [order, { amount, ...effects }] of this.#orders) {
      const { charge, reserve, ship, release, refund } = effects
      if (charge === 1 && reserve === 1 && ship === 1 && release === 0 && refund === 0) {
        completed++
        due += amount
      } else if (ship === 0 && charge === refund && reserve === release && charge < 2 && reserve < 2) compensated++
      else wrong.push(`${order}: ${JSON.stringify(effects)}`)
    }
    if (wrong.length === 0 && this.#merchant !== due) wrong.push(`the merchant has ${this.#merchant} instead of ${due}`)
    return { completed, compensated, wrong: wrong.slice(0, 10), wrongCount: wrong.length, replays }
  }

  #effects(order: string, amount: number): Effects {
    const known = this.#orders.get(order)
    if (known) return known
    const effects = { charge: 0, reserve: 0, ship: 0, release: 0, refund: 0, amount }
    this.#orders.set(order, effects)
    return effects
  }
}
