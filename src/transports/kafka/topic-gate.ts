import { AppError, type Clock, codeOf, type Logger, messageOf } from '@splitstream/kernel'

export interface TopicGateOptions {
  /** @throws AppError CONFIG_INVALID for a topic that does not fit; anything else passes, some time */
  prepare(): Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

const [leastPauseMs, maxPauseMs] = [250, 2_000]

/**
 * Whether the topic may be written to. Until it is known to be as it has to be, nothing is: what is acknowledged there would be on
 * fewer copies than a 2xx promises. States:
 *
 *   unknown → open             Kafka answered, and the topic is right
 *           → unfit → open     it answered, and the topic is not; it is looked at again until somebody has mended it
 */
export class TopicGate {
  readonly #o: TopicGateOptions
  readonly #stop = new AbortController()
  readonly #answered = Promise.withResolvers<void>()
  readonly #opened = Promise.withResolvers<void>()
  #unfit: AppError | undefined
  #isOpen = false
  #looking = false

  constructor(o: TopicGateOptions) {
    this.#o = o
  }

  start(): void {
    if (this.#looking) return
    this.#looking = true
    void this.#look()
  }

  /** Does not wait for a look that is under way. */
  stop(): void {
    this.#stop.abort()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** What is wrong with the topic. */
  get unfit(): AppError | undefined {
    return this.#unfit
  }

  /** Resolves when Kafka has answered for the first time: then it is open or unfit. */
  get answered(): Promise<void> {
    return this.#answered.promise
  }

  /** Resolves when it is open, or the signal is aborted. */
  async untilOpen(signal: AbortSignal): Promise<void> {
    if (this.#isOpen || signal.aborted) return
    const over = Promise.withResolvers<void>()
    const end = (): void => over.resolve()
    signal.addEventListener('abort', end, { once: true })
    await Promise.race([this.#opened.promise, over.promise])
    signal.removeEventListener('abort', end)
  }

  async #look(): Promise<void> {
    const { prepare, clock, logger } = this.#o
    const { signal } = this.#stop
    for (let pause = leastPauseMs; !signal.aborted; pause = Math.min(pause * 2, maxPauseMs)) {
      try {
        await prepare()
        if (signal.aborted) return
        if (this.#unfit) logger.info('the topic is as it has to be now')
        this.#unfit = undefined
        this.#isOpen = true
        this.#answered.resolve()
        return this.#opened.resolve()
      } catch (error) {
        logger.debug('the topic is not prepared yet', { error: messageOf(error) })
        if (error instanceof AppError && codeOf(error) === 'CONFIG_INVALID') {
          this.#unfit = error
          this.#answered.resolve()
        }
      }
      await clock.sleep(pause, signal).catch(() => undefined)
    }
  }
}
