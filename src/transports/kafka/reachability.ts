import type { Clock, Logger } from '@splitstream/kernel'
import type { BrokerAccess } from './access.ts'
import { answeringBroker } from './answering.ts'
import type { Brokers } from './brokers.ts'

/** Between two looks while no broker answers, ms. */
const lookMs = 500

/*
 * Whether there is any broker to talk to. States:
 *
 *   reachable → (something failed: suspected) → a broker answers: reachable
 *                                             → none does: unreachable → one answers again: reachable
 *
 * What is under way to Kafka learns by `lost` that it need not wait any more.
 */
export class Reachability {
  readonly #brokers: Brokers
  readonly #access: BrokerAccess
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #lost = new AbortController()
  #back = Promise.withResolvers<void>()
  #looking = false

  constructor(brokers: Brokers, access: BrokerAccess, clock: Clock, logger: Logger) {
    this.#brokers = brokers
    this.#access = access
    this.#clock = clock
    this.#logger = logger
  }

  get isLost(): boolean {
    return this.#lost.signal.aborted
  }

  /** Aborted when no broker is to be reached; after that there is another one. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Resolves when a broker is to be reached, as far as is known, or the signal is aborted. */
  async untilBack(signal: AbortSignal): Promise<void> {
    if (!this.isLost || signal.aborted) return
    const over = Promise.withResolvers<void>()
    const end = (): void => over.resolve()
    signal.addEventListener('abort', end, { once: true })
    await Promise.race([this.#back.promise, over.promise])
    signal.removeEventListener('abort', end)
  }

  /** Something failed or takes long, which may be because nobody is there. Returns at once. */
  suspect(): void {
    if (this.#looking || this.#stop.signal.aborted) return
    this.#looking = true
    void this.#look().finally(() => {
      this.#looking = false
    })
  }

  stop(): void {
    this.#stop.abort()
  }

  async #look(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const broker = await answeringBroker(this.#brokers.all, this.#access)
      if (broker !== undefined) return this.#found(broker)
      if (!this.isLost) {
        this.#logger.warn('no Kafka broker answers', { brokers: this.#brokers.all.join(',') })
        this.#lost.abort()
      }
      await this.#clock.sleep(lookMs, signal).catch(() => undefined)
    }
  }

  #found(broker: string): void {
    if (!this.isLost) return
    this.#logger.info('a Kafka broker answers again', { broker })
    this.#lost = new AbortController()
    this.#back.resolve()
    this.#back = Promise.withResolvers()
  }
}
