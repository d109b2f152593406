export interface Placed {
  /** Where it stands; kept by the list. */
  place: number
}

/**
 * What lives as long as a request, to be gone through. A list, not a Set: a Set that is added to and deleted from replaces its
 * table every few dozen requests, and in V8 the old table, once promoted, keeps the requests of its time and the next table
 * alive until the next full collection. That made young collections take 20 ms (docs/adr/0006).
 */
export class PlacedList<T extends Placed> {
  readonly #all: T[] = []

  get size(): number {
    return this.#all.length
  }

  add(one: T): void {
    one.place = this.#all.push(one) - 1
  }

  /** The last one takes its place. Without effect when it is not in the list. */
  remove(one: T): void {
    if (this.#all[one.place] !== one) return
    const last = this.#all.pop()!
    if (last === one) return
    last.place = one.place
    this.#all[last.place] = last
  }

  /** `visit` may remove the one that it is given. */
  each(visit: (one: T) => void): void {
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const one = this.#all[i]
      if (one) visit(one)
    }
  }
}
