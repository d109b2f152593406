/** Shortest and longest piece of work, ms. */
const [leastMs, mostMs] = [0.5, 25]

/**
 * Long work on the event loop in pieces, between which requests have their turn: one piece in each turn of the loop, whoever's it is.
 * It takes half as long as all else took before it, in these bounds: short ones while there is little else, so that requests do not
 * wait for it, and a third of the time when requests take all of the loop, so that it goes on.
 *
 *   turns.begin()
 *   for (…) {
 *     …
 *     if (turns.isOver) await turns.next()
 *   }
 */
class Turns {
  /** Until when the present piece may last, of `performance.now()`. */
  #until = 0
  /** When the present piece began. It is not interrupted. */
  #began = 0
  /** When the last piece ended, as far as is known. */
  #ended = 0
  #spentMs = 0
  readonly #waiting: (() => void)[] = []

  /** A first piece, of the shortest time: what is done by then need not wait. */
  begin(): void {
    this.#began = performance.now()
    this.#until = Math.max(this.#until, this.#began + leastMs)
  }

  /** What pieces took since ever, ms, but for the last one of each piece of work. */
  get spentMs(): number {
    return this.#spentMs
  }

  /** The piece has taken its time. */
  get isOver(): boolean {
    return performance.now() >= this.#until
  }

  /** Resolves when the next piece may begin. First come, first served. */
  next(): Promise<void> {
    this.#ended = performance.now()
    this.#spentMs += this.#ended - this.#began
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#grant)
    })
  }

  readonly #grant = (): void => {
    const now = performance.now()
    this.#until = now + Math.min(Math.max((now - this.#ended) / 2, leastMs), mostMs)
    this.#began = this.#ended = now
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(this.#grant)
  }
}

/** Of this process: it has one event loop. */
export const turns = new Turns()
