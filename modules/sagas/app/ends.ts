import { PlacedMap } from '@splitstream/kernel'
import type { Entry } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { SagaState, SagaStatus } from '../domain/state.ts'

/** How a saga stands that goes no further by itself. */
export interface End {
  readonly status: SagaStatus
  readonly problem: string | null
  /** Of a saga that is completed. */
  readonly output: Json
  /** ms since the epoch, by the database's clock. */
  readonly at: number
}

/**
 * Whether the saga has come to its end in a turn, or to where it needs attention. Of messages that came together one may have
 * ended it and a later one said more, or had it go on.
 */
export function hasStopped(entries: readonly Entry[], { status }: SagaState): boolean {
  return status !== 'running' && status !== 'compensating' && entries.some(({ e }) => e === 'end' || e === 'halt')
}

/** Who waits for the end of one saga. */
interface Waiter {
  end: End | undefined
  wake(): void
}

/** Those who wait for the end of a saga, or for the moment in which it needs attention: at most one for each, who makes it. */
export class Ends {
  readonly #waiting = new PlacedMap<Waiter>()

  /** The saga has come to its end, or needs attention; `end` is asked for only when somebody waits. */
  tell(id: string, end: () => End): void {
    const waiter = this.#waiting.get(id)
    if (!waiter) return
    this.#waiting.delete(id)
    waiter.end = end()
    waiter.wake()
  }

  /**
   * Resolves at the end of a saga that runs in this process, or after `ms`, or when the signal is aborted. Listen before the
   * saga is made: it may end sooner than its start is answered.
   */
  listen(id: string): { ended(ms: number, signal: AbortSignal): Promise<End | undefined>; cancel(): void } {
    const waiter: Waiter = { end: undefined, wake: () => undefined }
    this.#waiting.set(id, waiter)
    return {
      cancel: () => this.#waiting.delete(id),
      ended: (ms, signal) =>
        new Promise((resolve) => {
          const done = (): void => {
            clearTimeout(timer)
            signal.removeEventListener('abort', done)
            resolve(waiter.end)
          }
          const timer = setTimeout(done, ms)
          signal.addEventListener('abort', done, { once: true })
          waiter.wake = done
          if (waiter.end !== undefined || signal.aborted) done()
        }),
    }
  }
}
