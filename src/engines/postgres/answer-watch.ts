import { type Placed, PlacedList } from '@splitstream/kernel'

/** How often it looks: so much longer than it may a statement can wait, ms. */
const periodMs = 1_000

export interface Waiting extends Placed {
  /** Monotonic, ms. */
  readonly until: number
  giveUp(): void
}

/**
 * Ends the wait for answers that never come: when the network is cut, the server's own timeout does not reach us. One timer for
 * all statements. With that of pg (`query_timeout`), one for each, as with its promises, V8 keeps every statement that followed
 * one in the old space, with values and rows, until the next full collection (docs/adr/0006).
 */
export class AnswerWatch {
  readonly #afterMs: number
  readonly #waiting = new PlacedList<Waiting>()
  #timer: NodeJS.Timeout | undefined

  constructor(afterMs: number) {
    this.#afterMs = afterMs
  }

  /** @param giveUp is called after the time, and at most a second, unless it is removed before */
  add(giveUp: () => void): Waiting {
    const waiting: Waiting = { place: -1, until: performance.now() + this.#afterMs, giveUp }
    this.#waiting.add(waiting)
    this.#timer ??= setInterval(() => this.#look(), periodMs).unref()
    return waiting
  }

  remove(waiting: Waiting): void {
    this.#waiting.remove(waiting)
  }

  #look(): void {
    const now = performance.now()
    this.#waiting.each((one) => {
      if (one.until > now) return
      this.#waiting.remove(one)
      one.giveUp()
    })
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
