/**
 * MurmurHash3 x86_32 (Appleby, public domain) in two lanes with different seeds over the same bytes: one pass, 64 bits.
 * Frozen for ever: the values are stored with every event and decide its partition.
 */
const seedLow = 0
const seedHigh = 0x9747b28c

export class Murmur {
  low = 0
  high = 0
  #length = 0
  #word = 0

  start(): void {
    this.low = seedLow
    this.high = seedHigh
    this.#length = 0
    this.#word = 0
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    let word = this.#word
    let length = this.#length
    for (let p = start; p < end; p++) {
      word |= bytes[p]! << ((length & 3) << 3)
      if ((++length & 3) === 0) {
        this.#mix(word)
        word = 0
      }
    }
    this.#word = word
    this.#length = length
  }

  /** Sets `low` and `high` to the unsigned halves. */
  finish(): void {
    if ((this.#length & 3) !== 0) {
      const k = scramble(this.#word)
      this.low ^= k
      this.high ^= k
    }
    this.low = finalize(this.low ^ this.#length)
    this.high = finalize(this.high ^ this.#length)
  }

  #mix(word: number): void {
    const k = scramble(word)
    const low = this.low ^ k
    const high = this.high ^ k
    this.low = (Math.imul((low << 13) | (low >>> 19), 5) + 0xe6546b64) | 0
    this.high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
  }
}

function scramble(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

function finalize(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
