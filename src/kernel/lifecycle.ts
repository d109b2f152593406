import { AppError, messageOf } from './errors.ts'
import type { Logger } from './telemetry.ts'

/**
 * A part of the process that is started and stopped. States: new → starting → running → stopping → stopped, or failed
 * from starting. Parts start one after another in the order given and stop in reverse (after dskit's services).
 */
export interface Part {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

export class Lifecycle {
  readonly #started: Part[] = []
  readonly #log: Logger
  #stopping: Promise<void> | undefined
  #ending: string | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  /** Starts one part. When it fails, everything started before is stopped, and the error goes on to the caller. */
  async start(part: Part): Promise<void> {
    if (this.#stopping) throw new AppError('STOPPING', `Cannot start ${part.name}: the process is stopping`)
    const from = performance.now()
    try {
      await part.start()
    } catch (error) {
      this.#log.error(`could not start ${part.name}`, { error: messageOf(error) })
      await this.stop()
      throw error
    }
    this.#started.push(part)
    this.#log.debug(`started ${part.name}`, { ms: Math.round(performance.now() - from) })
  }

  /** The part that is being stopped now. */
  get ending(): string | undefined {
    return this.#ending
  }

  /** Stops all started parts in reverse; one that fails to stop does not keep the others. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    for (const part of this.#started.toReversed()) {
      this.#ending = part.name
      try {
        await part.stop()
        this.#log.debug(`stopped ${part.name}`)
      } catch (error) {
        this.#log.error(`could not stop ${part.name}`, { error: messageOf(error) })
      }
    }
  }
}
