import type { Transform } from 'node:stream'
import { JoinedBytes } from '@splitstream/kernel'

/**
 * Hands chunks to a decoder, one after the other. What comes while it is at work goes to it in one piece: by itself it would
 * queue each small chunk, and wake a thread for each. Its source is not held back, for that would queue them too: whoever feeds
 * it counts the bytes.
 */
export class DecoderFeed {
  readonly #decoder: Transform
  readonly #behind = new JoinedBytes()
  #atWork = false

  constructor(decoder: Transform) {
    this.#decoder = decoder
  }

  add(chunk: Buffer): void {
    this.#behind.add(chunk)
    if (!this.#atWork) this.#next()
  }

  /** No chunk follows. */
  readonly end = (): void => {
    if (this.#behind.length > 0) this.#decoder.write(this.#behind.take())
    this.#decoder.end()
  }

  readonly #next = (): void => {
    this.#atWork = !this.#decoder.destroyed && this.#behind.length > 0
    if (this.#atWork) this.#decoder.write(this.#behind.take(), this.#next)
  }
}
