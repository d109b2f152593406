/** Between two looks at the clock, and how much later a look may come before that is a stall, ms. */
const [everyMs, tolerableMs] = [50, 200]

/**
 * When this process got nothing of the machine: a timer that came late tells. What is watched from here stood still then, too, for
 * no reason of its own, and what was to be seen meanwhile was not.
 */
export class Stalls implements Disposable {
  readonly #all: { readonly from: number; readonly to: number }[] = []
  readonly #timer = setInterval(() => this.#look(), everyMs).unref()
  #last = performance.now()

  /** How long it stood still between two moments of `performance.now()`, ms. */
  between(from: number, to: number): number {
    this.#look()
    return this.#all.reduce((sum, one) => sum + Math.max(0, Math.min(one.to, to) - Math.max(one.from, from)), 0)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    if (now - this.#last > everyMs + tolerableMs) this.#all.push({ from: this.#last + everyMs, to: now })
    this.#last = now
  }
}
