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

  /** Goes on from where `other` is. */
  startFrom(other: Murmur): void {
    this.low = other.low
    this.high = other.high
    this.#length = other.#length
    this.#word = other.#word
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    let { low, high } = this
    let word = this.#word
    const shift = (this.#length & 3) << 3
    let p = start
    // Whole words; the bytes that are left over from before stand in front of each.
    for (; p + 4 <= end; p += 4) {
      const next = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24)
      const k = scramble(word | (next << shift))
      word = shift === 0 ? 0 : next >>> (32 - shift)
      low = mix(low, k)
      high = mix(high, k)
    }
    for (let at = shift; p < end; p++) {
      word |= bytes[p]! << at
      at += 8
      if (at === 32) {
        const k = scramble(word)
        low = mix(low, k)
        high = mix(high, k)
        word = at = 0
      }
    }
    this.low = low
    this.high = high
    this.#word = word
    this.#length += end - start
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
}

function mix(h: number, k: number): number {
  h ^= k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
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
