import type { Labels } from '@splitstream/kernel'

/** Label sets of one metric; what comes after them is counted together, under the label value `other`. */
const maxSeries = 2_000

const noLabels: Labels = Object.freeze({})

export interface Point<T> {
  readonly labels: Labels
  readonly value: T
}

/**
 * What is measured, apart by labels. On the ingest path an observation may cost nanoseconds, not a hash of its labels: a labels
 * object is taken as constant, and what was made for it the first time is found again by its identity. Callers on hot paths
 * keep their label objects; others pay for one string.
 */
export class Series<T> {
  readonly #names: readonly string[]
  readonly #make: () => T
  readonly #byObject = new WeakMap<Labels, T>()
  readonly #byText = new Map<string, Point<T>>()
  /** Most often it is the same again. */
  #lastLabels: Labels | undefined
  #lastValue: T | undefined

  constructor(names: readonly string[], make: () => T) {
    this.#names = names
    this.#make = make
    // Without labels it is 0 from the start, not absent.
    if (names.length === 0) this.of()
  }

  of(labels: Labels = noLabels): T {
    if (this.#lastLabels === labels) return this.#lastValue!
    let value = this.#byObject.get(labels)
    if (!value) {
      value = this.#find((name) => labels[name] ?? '')
      this.#byObject.set(labels, value)
    }
    this.#lastLabels = labels
    this.#lastValue = value
    return value
  }

  points(): readonly Point<T>[] {
    return [...this.#byText.values()]
  }

  #find(value: (name: string) => string | number): T {
    const text = this.#names.map(value).join('\0')
    const known = this.#byText.get(text)
    if (known) return known.value
    if (this.#byText.size >= maxSeries && value !== other) return this.#find(other)
    const labels = Object.fromEntries(this.#names.map((name) => [name, value(name)]))
    const made = { labels, value: this.#make() }
    this.#byText.set(text, made)
    return made.value
  }
}

const other = (): string => 'other'
