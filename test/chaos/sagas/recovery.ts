import { setTimeout as delay } from 'node:timers/promises'
import type { Installation } from './installation.ts'
import type { Striking } from './strikes.ts'

export interface RecoveryOptions {
  /** Others wait for the lease of the dead worker to run out; else it has run out at once. */
  readonly lease: boolean
  /** How long until the dead process is started again, ms. */
  readonly restartMs: number
}

/** Looks after a worker that was killed, as its supervisor would. */
export class Recovery {
  readonly #installation: Installation
  readonly #over = new AbortController()
  /** Resolves with the name of the worker that was killed, if one was. */
  readonly done: Promise<string | undefined>

  constructor(installation: Installation, striking: Striking, o: RecoveryOptions) {
    this.#installation = installation
    this.done = this.#watch(striking, o)
  }

  /** No kill is waited for any longer. */
  stop(): void {
    this.#over.abort()
  }

  async #watch(striking: Striking, { lease, restartMs }: RecoveryOptions): Promise<string | undefined> {
    for (;;) {
      const over = this.#over.signal.aborted
      const hit = await striking.hit()
      if (hit) {
        // Also waits until it is gone.
        await hit.worker.process.kill()
        if (!lease) await this.#installation.expireLease(hit.pid)
        this.#installation.restart(hit.worker, restartMs)
        return hit.worker.process.name
      }
      if (over) return undefined
      await delay(15)
    }
  }
}
