/**
 * Brings a replica up to what is committed, for many callers at once: a round that begins after a caller came serves it and all
 * who came before. At most one round runs, and one waits for it.
 */
export class CaughtUp {
  readonly #round: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param round resolves once the replica has all that was committed when it began; bounded in time */
  constructor(round: () => Promise<void>) {
    this.#round = round
  }

  /** Resolves once the replica has all that was committed before this call. @throws what the round throws */
  now(): Promise<void> {
    if (!this.#running) return this.#begin()
    // The round that runs may have looked before this caller came.
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<void> {
    this.#next = undefined
    const round = this.#round()
    this.#running = round
    const done = (): void => {
      // A later round may have begun in the same turn.
      if (this.#running === round) this.#running = undefined
    }
    round.then(done, done)
    return round
  }
}
