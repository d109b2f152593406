import { AppError } from '@splitstream/kernel'

/** Request bytes in memory, over all requests. Above the limit new ones are refused before they are read. */
export class InFlight {
  readonly #limit: number
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @throws AppError OVERLOADED */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#limit) {
      throw new AppError('OVERLOADED', 'Too many bytes are being worked on', { retryAfterMs: 1000 })
    }
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
