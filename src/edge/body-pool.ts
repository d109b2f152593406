/** Sizes of buffers, bytes: powers of two. What is smaller comes in one piece; what is larger is rare. */
const [smallest, largest] = [64 << 10, 4 << 20]
/** Bytes that lie ready at most. */
const maxFree = 16 << 20

/**
 * Buffers of large bodies, used again. At 200,000 events a second bodies are 40 MB a second, and V8 makes a full collection for
 * each 64 MB of buffers that it has not made room for.
 */
export class BodyPool {
  readonly #free = new Map<number, Buffer[]>()
  #bytes = 0

  /** A buffer of at least `size` bytes, with what was in it before. */
  take(size: number): Buffer {
    const whole = sizeOf(size)
    const buffer = this.#free.get(whole)?.pop()
    if (!buffer) return Buffer.allocUnsafeSlow(whole)
    this.#bytes -= whole
    return buffer
  }

  /** Of `take`. Nobody may look at it again. */
  give(buffer: Buffer): void {
    const size = buffer.length
    if (size !== sizeOf(size) || size > largest || this.#bytes + size > maxFree) return
    const same = this.#free.get(size)
    if (same) same.push(buffer)
    else this.#free.set(size, [buffer])
    this.#bytes += size
  }
}

const sizeOf = (size: number): number => (size > largest ? size : Math.max(smallest, 2 ** Math.ceil(Math.log2(size))))
