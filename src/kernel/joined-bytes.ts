/** Chunks from this size on stay as they came: an object costs little beside them, and a copy would cost more. */
const large = 4 << 10
const blockBytes = 64 << 10
const nothing = Buffer.alloc(0)

/**
 * Bytes that come in chunks, as one piece. Small chunks are copied together: kept apart, each would take some hundred bytes of
 * memory, so that whoever sends single bytes would take a hundred times of what is counted. Here it is less than twice.
 */
export class JoinedBytes {
  length = 0
  readonly #parts: Buffer[] = []
  /** Where small chunks are copied to; its first `#used` bytes are not in #parts yet. */
  #block = nothing
  #used = 0

  /** A large chunk, and the first of all, is kept as it is: nobody may write to it. */
  add(chunk: Buffer): void {
    const isFirst = this.length === 0
    this.length += chunk.length
    if (isFirst || chunk.length >= large) {
      this.#endBlock()
      this.#parts.push(chunk)
      return
    }
    if (this.#used + chunk.length > this.#block.length) {
      this.#endBlock()
      this.#block = Buffer.allocUnsafeSlow(Math.max(large, Math.min(blockBytes, this.length)))
    }
    this.#block.set(chunk, this.#used)
    this.#used += chunk.length
  }

  /** All of it. Afterwards it is empty, and may be used again. */
  take(): Buffer {
    this.#endBlock()
    const parts = this.#parts.splice(0)
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.length)
    this.length = 0
    return whole
  }

  /** What is left of the block is for the small chunks that follow. */
  #endBlock(): void {
    if (this.#used === 0) return
    this.#parts.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }
}
