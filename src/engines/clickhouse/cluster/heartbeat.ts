import { AppError, type Call, type Clock, messageOf, withSignal } from '@splitstream/kernel'

/** Without an answer for so long it is asked after the others, and for so long it does not answer, ms. */
const [doubtMs, goneMs] = [250, 3_000]
/** An answer that came while this process stood still is found within this time, ms. */
const graceMs = 100

/**
 * Whether a server answers at all, asked again and again by who owns this; and the end of what runs on it when it does not. A server
 * that is frozen or cut off takes connections, or seems to, and says nothing: time alone tells.
 *
 *   beats → (refuses twice, or nothing for 3 s) gone → (answers) beats
 */
export class Heartbeat {
  readonly #name: string
  readonly #ping: (signal: AbortSignal) => Promise<unknown>
  readonly #clock: Clock
  #askedAt: number | undefined
  #gone: AppError | undefined
  /** From one time that it is gone to the next. */
  #beating = new AbortController()

  /**
   * @param name for people
   * @param ping rejects when there is no good answer; ends with its signal
   */
  constructor(name: string, ping: (signal: AbortSignal) => Promise<unknown>, clock: Clock) {
    this.#name = name
    this.#ping = ping
    this.#clock = clock
  }

  /** UNAVAILABLE, while it does not answer. */
  get gone(): AppError | undefined {
    return this.#gone
  }

  /** It may be gone: others are asked first. */
  get inDoubt(): boolean {
    if (this.#gone) return true
    return this.#askedAt !== undefined && this.#clock.monotonic() - this.#askedAt >= doubtMs
  }

  /** Asks, for 3.1 s at most; one question at a time. Never rejects. */
  async ask(signal: AbortSignal): Promise<void> {
    this.#askedAt = this.#clock.monotonic()
    try {
      await this.#question(signal)
      this.#gone = undefined
    } catch (error) {
      if (signal.aborted) return
      this.#gone = this.#unavailable(messageOf(error))
      this.#beating.abort()
      this.#beating = new AbortController()
    } finally {
      this.#askedAt = undefined
    }
  }

  /**
   * Runs `work` with a call that ends when the server does not answer any more.
   * @throws AppError UNAVAILABLE then, and at once while it does not. What was sent may have happened all the same
   */
  async whileItBeats<T>(call: Call, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#gone) throw this.#gone
    const { signal } = this.#beating
    try {
      return await work(withSignal(call, AbortSignal.any([call.signal, signal])))
    } catch (error) {
      if (!signal.aborted || call.signal.aborted) throw error
      throw this.#gone ?? this.#unavailable('it hung', error)
    }
  }

  async #question(signal: AbortSignal): Promise<void> {
    const [late, answered] = [new AbortController(), new AbortController()]
    const within = AbortSignal.any([signal, late.signal])
    const answer = this.#ping(within)
      // A connection that was kept may break as it is used: that says nothing yet.
      .catch((error: unknown) => (within.aborted ? Promise.reject(error) : this.#ping(within)))
      .finally(() => answered.abort())
    answer.catch(() => undefined) // one that comes too late is nobody's any more
    try {
      await this.#clock.sleep(goneMs, answered.signal)
      await this.#clock.sleep(graceMs, answered.signal)
    } catch {
      await answer
      return
    }
    late.abort()
    throw new Error(`nothing within ${goneMs} ms`)
  }

  #unavailable(why: string, cause?: unknown): AppError {
    return new AppError('UNAVAILABLE', `${this.#name} does not answer: ${why}`, { cause, retryAfterMs: 1_000 })
  }
}
