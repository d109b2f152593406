import { setTimeout as delay } from 'node:timers/promises'
import { look } from '../../support/readiness.ts'
import type { Findings } from '../findings.ts'
import type { Replaceable } from './slots.ts'

/** Between two questions to a process, and how long an answer may take on a busy machine, ms. */
const [everyMs, answerMs] = [250, 6_000]
/** Within which one that was replaced is ready: it may still be checking what is stored (docs/health.md), ms. */
const readyWithinMs = 30_000

/** A process is excused from when it is being replaced until it is ready again. */
interface Excuse {
  /** When its replacement was done; undefined: it is under way. */
  replaced: number | undefined
}

/** Asks all processes for their readiness: nothing is broken, so one that is not being replaced is ready. Ends with its scope. */
export class StaysReady implements AsyncDisposable {
  looks = 0
  readonly #findings: Findings
  readonly #stop = new AbortController()
  readonly #looking: Promise<unknown>
  readonly #excused = new Map<Replaceable, Excuse>()

  constructor(slots: readonly Replaceable[], findings: Findings) {
    this.#findings = findings
    this.#looking = Promise.all(slots.map((slot) => this.#go(slot)))
  }

  /** Replaces the process of a slot. @returns how long it took, ms */
  async replace(slot: Replaceable): Promise<number> {
    const excuse: Excuse = { replaced: undefined }
    this.#excused.set(slot, excuse)
    const ms = await slot.replace()
    excuse.replaced = performance.now()
    return ms
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #go(slot: Replaceable): Promise<void> {
    for (const { signal } = this.#stop; !signal.aborted; await delay(everyMs, undefined, { signal }).catch(() => {})) {
      const from = performance.now()
      const before = this.#excused.get(slot)
      const { ready, cause } = await look(slot.url, answerMs)
      this.looks++
      const excuse = this.#excused.get(slot)
      if (ready) {
        if (excuse?.replaced !== undefined && from >= excuse.replaced) this.#excused.delete(slot)
      } else if (!before && !excuse) this.#findings.add('not ready, and need not be', `${slot.name}: ${cause}`)
      else if (excuse?.replaced !== undefined && from > excuse.replaced + readyWithinMs)
        this.#findings.add('not ready in time', `${slot.name}: ${cause}`)
    }
  }
}
