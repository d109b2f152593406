import { secretMultiplier } from '@splitstream/kernel'

const slots = 2 ** 15
/** Half of the table at most, so that a free slot is always near. */
export const maxNames = slots / 2

/**
 * Says whether an object may have a name twice. It remembers a hash of each name together with its object, for one event at
 * a time: when all differ, no name repeats. Equal ones need a closer look (repeatedName), and are next to never by chance:
 * the multiplier is not known to senders, so they cannot choose names that look alike.
 */
export class NameFilter {
  /** Names added since `begin`; those beyond `maxNames` are only counted. */
  count = 0
  mayRepeat = false
  /** Open addressing, two elements a slot: the round in which it was written, and the hash. Nothing is ever cleared. */
  readonly #table = new Int32Array(2 * slots)
  readonly #multiplier = secretMultiplier()
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #round = 0

  /** Begins an event in `bytes`. */
  begin(bytes: Uint8Array): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.count = 0
    this.mayRepeat = false
    if (this.#round === 0x7fffffff) {
      this.#table.fill(0)
      this.#round = 0
    }
    this.#round++
  }

  /** Adds the name at `start … end`, quotes included, of the event's object number `owner`. */
  add(start: number, end: number, owner: number): void {
    if (++this.count > maxNames) return
    const hash = this.#hash(start, end, owner)
    const table = this.#table
    for (let slot = hash >>> 17; ; slot = (slot + 1) & (slots - 1)) {
      if (table[2 * slot] !== this.#round) {
        table[2 * slot] = this.#round
        table[2 * slot + 1] = hash
        return
      }
      if (table[2 * slot + 1] === hash) {
        this.mayRepeat = true
        return
      }
    }
  }

  #hash(start: number, end: number, owner: number): number {
    const multiplier = this.#multiplier
    let hash = Math.imul(owner, 0x9e3779b1) ^ (end - start)
    if (end - start >= 6) {
      // Words of four bytes; the last may overlap the one before.
      const view = this.#view
      const last = end - 5
      for (let p = start + 1; p < last; p += 4) hash = Math.imul(hash ^ view.getInt32(p, true), multiplier)
      return Math.imul(hash ^ view.getInt32(last, true), multiplier)
    }
    // Three bytes at most: the first, the last and the one between.
    const bytes = this.#bytes
    const word = bytes[start + 1]! | (bytes[end - 2]! << 8) | (bytes[(start + end) >> 1]! << 16)
    return Math.imul(hash ^ word, multiplier)
  }
}
