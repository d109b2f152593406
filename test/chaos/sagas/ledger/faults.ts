import { Random } from '../../random.ts'
import type { Arrival, Fault, Rule } from './messages.ts'

/** Decides, by a seed, what befalls each call. */
export class Faults {
  count = 0
  readonly #rules: readonly (Rule & { readonly until: number })[]
  readonly #random: Random
  /** How often each rule befell each key. */
  readonly #times = new Map<string, number>()

  constructor(seed: number, rules: readonly Rule[]) {
    const now = performance.now()
    this.#rules = rules.map((rule) => ({ ...rule, until: now + (rule.forMs ?? Number.POSITIVE_INFINITY) }))
    this.#random = new Random(seed)
  }

  draw({ operation, key, at }: Arrival): Fault | undefined {
    for (const [i, rule] of this.#rules.entries()) {
      if (!rule.operations.includes(operation) || at > rule.until || !this.#random.chance(rule.share)) continue
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
