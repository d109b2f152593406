/** Lets tasks go on one at a time, from turn to turn, in an order that `choose` decides: an interleaving that can be repeated. */
export class Turns {
  readonly #choose: (n: number) => number
  readonly #waiting: (() => void)[] = []
  #handOver: () => void = () => undefined

  constructor(choose: (n: number) => number) {
    this.#choose = choose
  }

  /** Waits until it is this task's turn. Whatever else a task awaits must be settled already. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#handOver()
    })
  }

  /** Runs the tasks, which must not reject, until all are done. */
  async run(tasks: readonly (() => Promise<void>)[]): Promise<void> {
    let open = tasks.length
    for (const task of tasks)
      await this.#until(() => {
        void this.turn()
          .then(task)
          .finally(() => {
            open--
            this.#handOver()
          })
      })
    while (open > 0) {
      const [next] = this.#waiting.splice(this.#choose(this.#waiting.length), 1)
      await this.#until(() => next?.())
    }
  }

  #until(begin: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#handOver = resolve
      begin()
    })
  }
}

/** Numbers in [0, 1) that the seed decides (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
