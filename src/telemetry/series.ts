/*
 * Counters and histograms, written by hand: on the ingest path an observation may cost nanoseconds, not a hash of its labels.
 * A labels object is taken as constant: what was made for it the first time is found again by its identity. Callers on hot
 * paths keep their label objects; others pay for one string.
 */
export type Labels = Readonly<Record<string, string>>

/** Label sets of one metric; what comes after them is counted together, under the label value `other`. */
const maxSeries = 2_000

const noLabels: Labels = Object.freeze({})

class Series<T> {
  readonly #names: readonly string[]
  readonly #make: () => T
  readonly #byObject = new WeakMap<Labels, T>()
  readonly #byText = new Map<string, T>()

  constructor(names: readonly string[], make: () => T) {
    this.#names = names
    this.#make = make
  }

  of(labels: Labels = noLabels): T {
    const known = this.#byObject.get(labels)
    if (known) return known
    const found = this.#find(this.#textOf((name) => labels[name] ?? ''))
    this.#byObject.set(labels, found)
    return found
  }

  /** With the labels as text, without braces. */
  entries(): Iterable<[string, T]> {
    return this.#byText
  }

  #find(text: string): T {
    const room = this.#byText.size < maxSeries
    const key = room || this.#byText.has(text) ? text : this.#textOf(() => 'other')
    let found = this.#byText.get(key)
    if (!found) {
      found = this.#make()
      this.#byText.set(key, found)
    }
    return found
  }

  #textOf(value: (name: string) => string): string {
    return this.#names.map((name) => `${name}="${quoted(value(name))}"`).join(',')
  }
}

const quoted = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const head = (name: string, help: string, type: string): string =>
  `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`)

export class CounterMetric {
  readonly #head: string
  readonly #name: string
  readonly #series: Series<{ value: number }>

  constructor(name: string, help: string, labels: readonly string[]) {
    this.#name = name
    this.#head = head(name, help, 'counter')
    this.#series = new Series(labels, () => ({ value: 0 }))
    // Without labels it is 0 from the start, not absent.
    if (labels.length === 0) this.#series.of()
  }

  add(n: number, labels?: Labels): void {
    if (n >= 0) this.#series.of(labels).value += n
  }

  text(): string {
    let text = this.#head
    for (const [labels, { value }] of this.#series.entries()) text += `${this.#name}${braced(labels)} ${value}\n`
    return text
  }
}

interface Buckets {
  /** Observations up to each bound, and above the last; not cumulated. */
  readonly counts: Float64Array
  sum: number
}

export class HistogramMetric {
  readonly #head: string
  readonly #name: string
  readonly #bounds: readonly number[]
  readonly #series: Series<Buckets>

  constructor(name: string, help: string, bounds: readonly number[], labels: readonly string[]) {
    this.#name = name
    this.#head = head(name, help, 'histogram')
    this.#bounds = bounds.toSorted((a, b) => a - b)
    this.#series = new Series(labels, () => ({ counts: new Float64Array(bounds.length + 1), sum: 0 }))
    if (labels.length === 0) this.#series.of()
  }

  observe(value: number, labels?: Labels): void {
    const buckets = this.#series.of(labels)
    let i = 0
    while (i < this.#bounds.length && value > this.#bounds[i]!) i++
    buckets.counts[i]!++
    buckets.sum += value
  }

  text(): string {
    let text = this.#head
    for (const [labels, { counts, sum }] of this.#series.entries()) {
      const comma = labels === '' ? '' : `${labels},`
      let count = 0
      for (const [i, n] of counts.entries()) {
        count += n
        text += `${this.#name}_bucket{${comma}le="${this.#bounds[i] ?? '+Inf'}"} ${count}\n`
      }
      text += `${this.#name}_sum${braced(labels)} ${sum}\n${this.#name}_count${braced(labels)} ${count}\n`
    }
    return text
  }
}
