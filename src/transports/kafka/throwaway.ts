import { AppError, type Clock } from '@splitstream/kernel'

interface Client {
  connect(): Promise<void>
  disconnect(): Promise<void>
}

/**
 * A client of kafkajs that is made when it is needed and thrown away with the first thing that fails on it or takes too long:
 * its connection may be dead without knowing it (tulios/kafkajs#1783). What it still has under way may or may not happen.
 */
export class Throwaway<C extends Client> {
  readonly #make: () => C
  readonly #clock: Clock
  #current: Promise<C> | undefined

  constructor(make: () => C, clock: Clock) {
    this.#make = make
    this.#clock = clock
  }

  /**
   * @param ended waiting ends with it, too
   * @throws what `work` throws, or AppError UNAVAILABLE with `late` after `limitMs`, connecting included
   */
  async use<T>(limitMs: number, late: string, work: (client: C) => Promise<T>, ended?: AbortSignal): Promise<T> {
    const connecting = this.#connect()
    const over = new AbortController()
    const waited = ended ? AbortSignal.any([over.signal, ended]) : over.signal
    try {
      return await Promise.race([
        connecting.then(work),
        this.#clock.sleep(limitMs, waited).then(
          () => {
            throw new AppError('UNAVAILABLE', `${late} within ${limitMs} ms`, { retryAfterMs: 1_000 })
          },
          () => {
            throw new AppError('UNAVAILABLE', `${late}, and nobody is there to do so`, { retryAfterMs: 1_000 })
          },
        ),
      ])
    } catch (error) {
      if (this.#current === connecting) void this.close()
      throw error
    } finally {
      over.abort()
    }
  }

  /** The next use makes a new one. Resolves when the old one is gone. */
  async close(): Promise<void> {
    const old = this.#current
    this.#current = undefined
    await old?.then((client) => client.disconnect()).catch(() => undefined)
  }

  #connect(): Promise<C> {
    if (!this.#current) {
      const client = this.#make()
      this.#current = client.connect().then(() => client)
      this.#current.catch(() => undefined)
    }
    return this.#current
  }
}
