import { AppError } from '@splitstream/kernel'

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
  #current: { readonly client: C; readonly connected: Promise<C> } | undefined

  constructor(make: () => C) {
    this.#make = make
  }

  /**
   * @param ended waiting ends with it, too
   * @throws what `work` throws, or AppError UNAVAILABLE with `late` after `limitMs`, connecting included
   */
  async use<T>(limitMs: number, late: string, work: (client: C) => Promise<T>, ended?: AbortSignal): Promise<T> {
    const current = this.#connect()
    const { promise: over, reject } = Promise.withResolvers<never>()
    const fail = (why: string): void => reject(new AppError('UNAVAILABLE', `${late}${why}`, { retryAfterMs: 1_000 }))
    const end = (): void => fail(', and nobody is there to do so')
    // By hand: a sleep that is aborted makes an error with its stack, and that for each send.
    const timer = setTimeout(fail, limitMs, ` within ${limitMs} ms`)
    if (ended?.aborted) end()
    else ended?.addEventListener('abort', end)
    try {
      return await Promise.race([current.connected.then(work), over])
    } catch (error) {
      if (this.#current === current) void this.close()
      throw error
    } finally {
      clearTimeout(timer)
      ended?.removeEventListener('abort', end)
    }
  }

  /** The next use makes a new one. Resolves when the old one is gone. */
  async close(): Promise<void> {
    const old = this.#current
    this.#current = undefined
    if (!old) return
    // One that could not connect may have connections all the same: a producer has when its broker gives it no id.
    await old.connected.catch(() => undefined)
    await old.client.disconnect().catch(() => undefined)
  }

  #connect(): { readonly client: C; readonly connected: Promise<C> } {
    if (!this.#current) {
      const client = this.#make()
      const connected = client.connect().then(() => client)
      connected.catch(() => undefined)
      this.#current = { client, connected }
    }
    return this.#current
  }
}
