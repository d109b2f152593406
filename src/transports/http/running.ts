import { type Placed, PlacedList } from '@splitstream/kernel'

/** A call that is being served. */
export interface Running extends Placed {
  /** Its answer is a stream, which may have no end of its own. */
  readonly streaming: boolean
  /** Asks it to end: its signal is aborted. */
  abort(): void
  /** Cuts its connection. */
  cut(): void
}

/** The calls that run now. */
export class RunningCalls extends PlacedList<Running> {
  readonly #waiting: (() => void)[] = []

  override remove(one: Running): void {
    super.remove(one)
    if (this.size === 0) for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Resolves when none runs, or after `ms`: then false. */
  async empty(ms: number): Promise<boolean> {
    if (this.size === 0) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const late = setTimeout(() => resolve(false), ms)
    this.#waiting.push(() => resolve(true))
    const empty = await promise
    clearTimeout(late)
    return empty
  }
}
