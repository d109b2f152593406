import { startChild } from '../../../bench/sagas/child.ts'
import type { Audit, Character, Look, Question, Rule, Strike, Struck } from './messages.ts'

/** The external ledger as the harness has it. */
export interface Ledger {
  /** Of the participants; GET /x/look there is the same as `look`. */
  readonly url: string
  /** From now on; without rules nothing goes wrong. */
  behave(seed: number, character: Character, rules?: readonly Rule[]): Promise<void>
  strike(strike: Strike | undefined): Promise<void>
  struck(): Promise<readonly Struck[]>
  look(): Promise<Look>
  /** What came of the orders whose names begin so. */
  audit(orders: string): Promise<Audit>
  stop(): Promise<void>
}

/** @param file of its book; a new one */
export async function startLedger(file: string, postgresUrl: string): Promise<Ledger> {
  const child = startChild<Question>(new URL('./main.ts', import.meta.url))
  let last: Promise<unknown> = Promise.resolve()
  // It answers one question at a time.
  const ask = <T>(question: Question): Promise<T> => {
    const asked = last.then(() => child.ask<T>(question))
    last = asked.catch(() => undefined)
    return asked
  }
  const url = await ask<string>({ kind: 'listen', file, postgresUrl })
  return {
    url,
    behave: (seed, character, rules = []) => ask({ kind: 'behave', seed, character, rules }),
    strike: (strike) => ask({ kind: 'strike', strike }),
    struck: () => ask<Struck[]>({ kind: 'struck' }),
    look: () => ask<Look>({ kind: 'look' }),
    audit: (orders) => ask<Audit>({ kind: 'audit', orders }),
    stop: child.stop,
  }
}
