/** A call that is being served. */
export interface Running {
  /** Its place in the list; kept by the list. */
  place: number
  /** Asks it to end: its signal is aborted. */
  abort(): void
  /** Cuts its connection. */
  cut(): void
}

/** The calls that run now. A list and not a Set, for the reason given in src/edge/watch.ts. */
export class RunningCalls {
  readonly #all: Running[] = []
  readonly #waiting: (() => void)[] = []

  get size(): number {
    return this.#all.length
  }

  add(one: Running): void {
    one.place = this.#all.push(one) - 1
  }

  remove(one: Running): void {
    if (this.#all[one.place] !== one) return
    const last = this.#all.pop()!
    if (last !== one) {
      last.place = one.place
      this.#all[last.place] = last
    }
    if (this.#all.length === 0) for (const wake of this.#waiting.splice(0)) wake()
  }

  all(): readonly Running[] {
    return [...this.#all]
  }

  /** Resolves when none runs, or after `ms`: then false. */
  async empty(ms: number): Promise<boolean> {
    if (this.#all.length === 0) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const late = setTimeout(() => resolve(false), ms)
    this.#waiting.push(() => resolve(true))
    const empty = await promise
    clearTimeout(late)
    return empty
  }
}
