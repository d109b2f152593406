import { setTimeout as delay } from 'node:timers/promises'
import type { Installation } from './installation.ts'
import type { Hit, Striking } from './strikes.ts'

export interface RecoveryOptions {
  /** Others wait for the lease of the dead worker to run out; else it has run out at once. */
  readonly lease: boolean
  /** How long until the dead process is started again, ms. */
  readonly restartMs: number
  /** Called once the first is dead: kills one of those that take over. */
  readonly next: (() => Promise<Striking>) | undefined
}

/** Looks after a worker that was killed, as its supervisor would. */
export class Recovery {
  readonly #installation: Installation
  readonly #over = new AbortController()
  /** Resolves with what was killed. */
  readonly done: Promise<Hit[]>

  constructor(installation: Installation, striking: Striking, o: RecoveryOptions) {
    this.#installation = installation
    this.done = this.#watch(striking, o)
  }

  /** No kill is waited for any longer. */
  stop(): void {
    this.#over.abort()
  }

  async #watch(first: Striking, { lease, restartMs, next }: RecoveryOptions): Promise<Hit[]> {
    const killed: Hit[] = []
    for (let striking: Striking | undefined = first; striking; ) {
      const over = this.#over.signal.aborted
      const hit: Hit | undefined = await striking.hit()
      if (hit) {
        // Also waits until it is gone.
        await hit.worker.process.kill()
        await striking.disarm()
        striking = killed.length === 0 ? await next?.() : undefined
        killed.push(hit)
        if (!lease) await this.#installation.expireLease(hit.pid)
        this.#installation.restart(hit.worker, restartMs)
      } else if (over) {
        await striking.disarm()
        striking = undefined
      } else await delay(15)
    }
    return killed
  }
}
