/**
 * Things by name that come and go by the thousand each second. A Map's tables would keep those that are gone, and so all young
 * ones with them, until the next full collection (PlacedList; docs/adr/0006). Here the only Map holds names and numbers.
 */
export class PlacedMap<T extends object> {
  readonly #places = new Map<string, number>()
  readonly #things: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#places.size
  }

  has(name: string): boolean {
    return this.#places.has(name)
  }

  get(name: string): T | undefined {
    const place = this.#places.get(name)
    return place === undefined ? undefined : this.#things[place]
  }

  set(name: string, thing: T): void {
    const place = this.#places.get(name) ?? this.#free.pop() ?? this.#things.length
    this.#places.set(name, place)
    this.#things[place] = thing
  }

  delete(name: string): void {
    const place = this.#places.get(name)
    if (place === undefined) return
    this.#places.delete(name)
    this.#things[place] = undefined
    this.#free.push(place)
  }

  /** Those of this moment. */
  values(): T[] {
    return this.#things.filter((thing) => thing !== undefined)
  }
}
