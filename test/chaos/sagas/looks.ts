import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import type { Ledger } from './ledger/start.ts'

const everyMs = 25

/** Looks at the ledger again and again: money and goods are the same at every look. */
export class Looks implements AsyncDisposable {
  count = 0
  #over = false
  readonly #looking: Promise<void>

  constructor(ledger: Ledger, findings: Findings) {
    this.#looking = this.#look(ledger, findings)
  }

  async #look(ledger: Ledger, findings: Findings): Promise<void> {
    const first = await ledger.look()
    for (let last = false; !last; await delay(everyMs)) {
      last = this.#over
      const { money, pieces } = await ledger.look()
      this.count++
      if (money !== first.money) findings.add('money was not constant', `${first.money} became ${money}`)
      if (pieces !== first.pieces) findings.add('goods were not constant', `${first.pieces} became ${pieces}`)
    }
  }

  /** After a last look. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true
    await this.#looking
  }
}
