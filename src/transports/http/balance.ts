import type { Random } from '@splitstream/kernel'
import type { Instance } from '../../discovery/resolver.ts'

/**
 * Which instance is called next: of the one whose turn it is and another one at random, the one with fewer of our calls
 * under way (Mitzenmacher, "The power of two choices", 2001). Alone, the turn would go on feeding an instance that is slow.
 */
export class Balance {
  readonly #random: Random
  readonly #underWay = new WeakMap<Instance, number>()
  #turn = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** One that is not in `tried`, as long as there is one. Undefined when there is no instance at all. */
  pick(instances: readonly Instance[], tried: readonly Instance[]): Instance | undefined {
    const fresh = tried.length === 0 ? instances : instances.filter((one) => !tried.includes(one))
    const among = fresh.length > 0 ? fresh : instances
    if (among.length < 2) return among[0]
    const turn = this.#turn++ % among.length
    const other = (turn + 1 + Math.floor(this.#random.fraction() * (among.length - 1))) % among.length
    const [first, second] = [among[turn]!, among[other]!]
    return this.#count(second) < this.#count(first) ? second : first
  }

  /** A call to it begins; the result says that it is over. */
  enter(instance: Instance): () => void {
    this.#underWay.set(instance, this.#count(instance) + 1)
    let left = false
    return () => {
      if (left) return
      left = true
      this.#underWay.set(instance, this.#count(instance) - 1)
    }
  }

  #count(instance: Instance): number {
    return this.#underWay.get(instance) ?? 0
  }
}
