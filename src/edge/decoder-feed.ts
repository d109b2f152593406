import type { Readable, Transform } from 'node:stream'
import { JoinedBytes } from '@splitstream/kernel'

/** The decoder is behind by so much: its source waits, bytes. */
const maxBehind = 64 << 10

/**
 * Hands chunks to a decoder, one after the other. What comes while it is at work goes to it in one piece: by itself it would
 * queue each small chunk, and wake a thread for each.
 */
export class DecoderFeed {
  readonly #decoder: Transform
  readonly #source: Readable
  readonly #behind = new JoinedBytes()
  #atWork = false

  constructor(decoder: Transform, source: Readable) {
    this.#decoder = decoder
    this.#source = source
  }

  add(chunk: Buffer): void {
    this.#behind.add(chunk)
    if (!this.#atWork) this.#next()
    else if (this.#behind.length >= maxBehind) this.#source.pause()
  }

  /** No chunk follows. */
  readonly end = (): void => {
    if (this.#behind.length > 0) this.#decoder.write(this.#behind.take())
    this.#decoder.end()
  }

  readonly #next = (): void => {
    this.#atWork = !this.#decoder.destroyed && this.#behind.length > 0
    if (!this.#atWork) return
    this.#decoder.write(this.#behind.take(), this.#next)
    this.#source.resume()
  }
}
