/** What happens when, on a virtual clock: in the order of time, and of being planned where that is the same. */
export class Agenda {
  /** ms since the epoch. */
  now: number
  readonly #plans: { readonly at: number; readonly what: () => void | Promise<void> }[] = []

  constructor(now: number) {
    this.now = now
  }

  /** Plans something; in the past means now. @returns what drops the plan */
  plan(at: number, what: () => void | Promise<void>): () => void {
    const plan = { at: Math.max(at, this.now), what }
    let i = this.#plans.length
    while (i > 0 && this.#plans[i - 1]!.at > plan.at) i--
    this.#plans.splice(i, 0, plan)
    return () => {
      const at = this.#plans.indexOf(plan)
      if (at >= 0) this.#plans.splice(at, 1)
    }
  }

  /** When the next thing happens, ms since the epoch; undefined when nothing is planned. */
  get next(): number | undefined {
    return this.#plans[0]?.at
  }

  /** Moves the clock to the next thing and lets it happen. False when nothing is planned. */
  async step(): Promise<boolean> {
    const plan = this.#plans.shift()
    if (!plan) return false
    this.now = plan.at
    await plan.what()
    return true
  }
}
