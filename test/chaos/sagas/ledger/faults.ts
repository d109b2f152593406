import { createHash } from 'node:crypto'
import type { Arrival, Fault, Rule } from './messages.ts'

/**
 * Decides what befalls each call, by the seed and by which call it is: its order, its operation and the how manieth time that it
 * comes. So the same seed is the same run, in whichever order calls arrive.
 */
export class Faults {
  count = 0
  readonly #seed: number
  readonly #rules: readonly (Rule & { readonly until: number })[]
  /** How often each call came. */
  readonly #came = new Map<string, number>()
  /** How often each rule befell each key. */
  readonly #times = new Map<string, number>()

  constructor(seed: number, rules: readonly Rule[]) {
    const now = performance.now()
    this.#seed = seed
    this.#rules = rules.map((rule) => ({ ...rule, until: now + (rule.forMs ?? Number.POSITIVE_INFINITY) }))
  }

  draw({ order, operation, key, at }: Pick<Arrival, 'order' | 'operation' | 'key' | 'at'>): Fault | undefined {
    const call = `${order} ${operation}`
    const came = (this.#came.get(call) ?? 0) + 1
    this.#came.set(call, came)
    for (const [i, rule] of this.#rules.entries()) {
      if (!rule.operations.includes(operation) || at > rule.until) continue
      if (fraction(`${this.#seed} ${i} ${call} ${came}`) >= rule.share) continue
      const which = `${i} ${key}`
      const times = this.#times.get(which) ?? 0
      if (times >= (rule.times ?? Number.POSITIVE_INFINITY)) continue
      this.#times.set(which, times + 1)
      this.count++
      return rule.fault
    }
    return undefined
  }
}

/** In [0, 1), always the same for a text. */
const fraction = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
