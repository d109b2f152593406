/** How long one is left out after so many failures in a row, ms. */
const leastOutMs = 1_000
const mostOutMs = 30_000

/**
 * Which replicas are asked first. One that fails is left out: for 1 s, and twice as long each time that it fails again, up to
 * 30 s; then it is tried. The rule of discovery (at most a third is left out) is for many processes; of three replicas two may be down.
 * So nobody is ever given up: when no other one is left, those that are out are asked as well.
 */
export class Standing<R> {
  readonly #all: readonly R[]
  readonly #out = new Map<R, { failures: number; until: number; since: number }>()
  #turn = 0

  constructor(all: readonly R[]) {
    this.#all = all
  }

  /** All, the best first: those that serve, from the next one in turn on; then those that are out, the first to return first. */
  inTurn(): R[] {
    const serving = this.serving()
    const from = this.#turn++ % Math.max(1, serving.length)
    return [...serving.slice(from), ...serving.slice(0, from), ...this.#returning()]
  }

  /** The same, but the same one leads as long as it serves. */
  steady(): R[] {
    return [...this.serving(), ...this.#returning()]
  }

  serving(): R[] {
    return this.#all.filter((one) => !this.#out.has(one))
  }

  isOut(one: R): boolean {
    return this.#out.has(one)
  }

  /** It is out, and to be tried again by now. */
  isDue(one: R, now: number): boolean {
    const out = this.#out.get(one)
    return out !== undefined && now >= out.until
  }

  /** Since when it has failed without a break (ms, monotonic); undefined when it serves. */
  outSince(one: R): number | undefined {
    return this.#out.get(one)?.since
  }

  /** Gives for how long it is out, ms. */
  failed(one: R, now: number): number {
    const before = this.#out.get(one)
    const failures = (before?.failures ?? 0) + 1
    const forMs = Math.min(mostOutMs, leastOutMs * 2 ** (failures - 1))
    this.#out.set(one, { failures, until: now + forMs, since: before?.since ?? now })
    return forMs
  }

  /** It answered. True when it was out. */
  worked(one: R): boolean {
    return this.#out.delete(one)
  }

  #returning(): R[] {
    return [...this.#out].sort(([, a], [, b]) => a.until - b.until).map(([one]) => one)
  }
}
