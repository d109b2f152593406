/** Shortest and longest piece of work, ms. */
const [leastMs, mostMs] = [0.5, 10]

/**
 * Long work on the event loop in pieces, between which requests have their turn: one piece in each turn of the loop, whoever's it is.
 * It takes half as long as all else took before it: short ones while there is little else, so that requests do not wait
 * for it, and a third of the time when there are more requests than can be served, so that it goes on.
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
  /** When the last piece ended, as far as is known. */
  #ended = 0
  readonly #waiting: (() => void)[] = []

  /** A first piece, of the shortest time: what is done by then need not wait. */
  begin(): void {
    this.#until = Math.max(this.#until, performance.now() + leastMs)
  }

  /** The piece has taken its time. */
  get isOver(): boolean {
    return performance.now() >= this.#until
  }

  /** Resolves when the next piece may begin. First come, first served. */
  next(): Promise<void> {
    this.#ended = performance.now()
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#grant)
    })
  }

  readonly #grant = (): void => {
    const now = performance.now()
    this.#until = now + Math.min(Math.max((now - this.#ended) / 2, leastMs), mostMs)
    this.#ended = now
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(this.#grant)
  }
}

/** Of this process: it has one event loop. */
export const turns = new Turns()
