import type { Reading } from '@splitstream/kernel'
import type { Instrument, Measured } from './measured.ts'

/** How long a scrape waits for a value that has to be asked for, and how long such a value stays good, ms. */
const [waitMs, freshMs] = [1_000, 5_000]

const nothing: Reading = []

/**
 * A value that is read when somebody looks. One that has to be asked for (of Postgres, of ClickHouse) is asked for once at a
 * time and every few seconds at most, however often a scrape comes; when the answer takes too long or fails, there is no value.
 */
export class Gauge implements Instrument {
  readonly #about: Pick<Measured, 'name' | 'help' | 'unit'> & { readonly kind: 'counter' | 'gauge' }
  readonly #read: () => Reading | Promise<Reading>
  #asked: Promise<Reading> | undefined
  #pending = false
  #answeredAt = 0

  /** @param kind a `counter` is one that somebody else counts */
  constructor(
    name: string,
    help: string,
    read: () => Reading | Promise<Reading>,
    unit: string,
    kind: 'counter' | 'gauge' = 'gauge',
  ) {
    this.#about = { name, help, unit, kind }
    this.#read = read
  }

  async measure(): Promise<Measured | undefined> {
    const reading = await this.#value()
    const all = typeof reading === 'number' ? [[{}, reading] as const] : reading
    const points = all.flatMap(([labels, value]) => (Number.isFinite(value) ? [{ labels, value }] : []))
    return points.length === 0 ? undefined : { ...this.#about, points }
  }

  #value(): Reading | Promise<Reading> {
    const fresh = this.#pending || performance.now() - this.#answeredAt < freshMs
    if (this.#asked && fresh) return inTime(this.#asked)
    const reading = this.#read()
    if (!(reading instanceof Promise)) return reading
    this.#pending = true
    this.#asked = reading
      .catch(() => nothing)
      .finally(() => {
        this.#pending = false
        this.#answeredAt = performance.now()
      })
    return inTime(this.#asked)
  }
}

async function inTime(asked: Promise<Reading>): Promise<Reading> {
  const late = Promise.withResolvers<Reading>()
  const timer = setTimeout(() => late.resolve(nothing), waitMs)
  const reading = await Promise.race([asked, late.promise])
  clearTimeout(timer)
  return reading
}
