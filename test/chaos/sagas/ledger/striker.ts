import type { Strike, Struck } from './messages.ts'
import type { Owners } from './owners.ts'
import type { Call } from './participant.ts'

/** Kills the worker whose call it is, while the call is held: the kill lies exactly where it was wanted. */
export class Striker {
  readonly struck: Struck[] = []
  /** Calls that were sent before their intent was durable. */
  readonly wrong: string[] = []
  readonly #owners: Owners
  #strike: Strike | undefined
  #count = 0

  constructor(owners: Owners) {
    this.#owners = owners
  }

  arm(strike: Strike | undefined): void {
    this.#strike = strike
    this.#count = 0
  }

  /** Set for the call that the strike is meant for. */
  at({ order, undo }: Call): Strike | undefined {
    const strike = this.#strike
    if (!strike || undo !== strike.undo || !order.startsWith(strike.orders)) return undefined
    if (++this.#count !== strike.nth) return undefined
    this.#strike = undefined
    return strike
  }

  /** Finds out whose call it is. @returns what kills that worker; undefined when it owns the saga no more */
  async aim({ saga, fence, step, undo }: Call): Promise<(() => void) | undefined> {
    const owner = await this.#owners.find(saga, fence, step, undo)
    if (owner === 'no intent') this.wrong.push(`called before its intent was durable: ${saga} ${step}`)
    if (typeof owner !== 'number') return undefined
    return () => {
      if (kill(owner)) this.struck.push({ pid: owner, saga, step })
    }
  }
}

/** False when it was gone already. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
