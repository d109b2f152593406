import { AppError } from '@splitstream/kernel'

/** Live streams that may be open at once, in this process. */
export class StreamPlaces {
  readonly #most: number
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  get taken(): number {
    return this.#taken
  }

  /** The result gives the place back; calling it twice does no harm. @throws AppError OVERLOADED */
  take(): () => void {
    if (this.#taken >= this.#most) {
      const detail = `${this.#most} live streams are open here, and no more may be: set QUERY_MAX_STREAMS`
      throw new AppError('OVERLOADED', detail, { retryAfterMs: 5_000 })
    }
    this.#taken++
    let given = false
    return () => {
      if (given) return
      given = true
      this.#taken--
    }
  }
}
