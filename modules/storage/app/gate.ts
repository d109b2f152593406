/** Lets so many pieces of work run at once; the others wait for their turn, in the order in which they came. */
export class Gate {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(places: number) {
    this.#free = places
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      // A place goes from hand to hand: nobody who comes now overtakes those who wait.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }
}
