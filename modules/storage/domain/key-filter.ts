/**
 * A set of 64-bit keys that may answer "perhaps" for a key that is not in it, and never "no" for one that is (Bloom 1970,
 * with the double hashing of Kirsch and Mitzenmacher 2006). Its memory is fixed: the more keys, the more false answers.
 */
export class KeyFilter {
  readonly #words: Uint32Array
  readonly #mask: number

  /** @param bits a power of two. With a sixteenth of it as keys, one false answer in about 2,000. */
  constructor(bits: number) {
    this.#words = new Uint32Array(bits / 32)
    this.#mask = bits - 1
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  /** @param low, high the halves of the key, which is a hash already */
  add(low: number, high: number): void {
    const step = stepOf(low, high)
    for (let i = 0, bit = low; i < probes; i++, bit = (bit + step) | 0) {
      const at = bit & this.#mask
      this.#words[at >>> 5]! |= 1 << (at & 31)
    }
  }

  has(low: number, high: number): boolean {
    const step = stepOf(low, high)
    for (let i = 0, bit = low; i < probes; i++, bit = (bit + step) | 0) {
      const at = bit & this.#mask
      if ((this.#words[at >>> 5]! & (1 << (at & 31))) === 0) return false
    }
    return true
  }
}

const probes = 6

/** Odd, so that the probes of a key are different bits. */
const stepOf = (low: number, high: number): number => Math.imul(high ^ (low >>> 15), 0x9e3779b1) | 1
