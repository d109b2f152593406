import { at, type RecordView, readString } from './record.ts'

/** What somebody wants events of a tenant and type for. */
export interface Wanted<T> {
  readonly tenant: string
  readonly type: string
  readonly value: T
}

/**
 * Finds the events of a record that are of certain tenants and types. The others are not decoded: most cost a look at the
 * length of their type.
 */
export class RowFilter<T> {
  /** By type, then tenant; both as their bytes, each byte one character. */
  readonly #wanted = new Map<string, Map<string, T>>()
  /** Lengths of types that are wanted, bytes. */
  readonly #lengths = new Set<number>()

  /** Of two for the same tenant and type the later one counts. */
  constructor(wanted: Iterable<Wanted<T>>) {
    for (const { tenant, type, value } of wanted) {
      const bytes = bytesOf(type)
      const byTenant = this.#wanted.get(bytes) ?? new Map<string, T>()
      byTenant.set(bytesOf(tenant), value)
      this.#wanted.set(bytes, byTenant)
      this.#lengths.add(bytes.length)
    }
  }

  /** Rows from `from` on, with what they are wanted for. @throws RangeError when a row is not one */
  *find({ bytes, starts, count }: RecordView, from = 0): Generator<readonly [index: number, value: T]> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const text = { start: 0, end: 0 }
    for (let i = from; i < count; i++) {
      const end = starts[i + 1]!
      readString(buffer, starts[i]! + at.strings, end, text)
      const tenant = text.start
      const tenantEnd = text.end
      // id and source lie between.
      readString(buffer, text.end, end, text)
      readString(buffer, text.end, end, text)
      readString(buffer, text.end, end, text)
      if (!this.#lengths.has(text.end - text.start)) continue
      const byTenant = this.#wanted.get(buffer.toString('latin1', text.start, text.end))
      const value = byTenant?.get(buffer.toString('latin1', tenant, tenantEnd))
      if (value !== undefined) yield [i, value]
    }
  }
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1')
