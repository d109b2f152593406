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

type Listener = (end: End) => void

/** Those who wait for the end of a saga, or for the moment in which it needs attention. */
export class Ends {
  readonly #waiting = new Map<string, Set<Listener>>()

  /** The saga has come to its end, or needs attention; `end` is asked for only when somebody waits. */
  tell(id: string, end: () => End): void {
    const listeners = this.#waiting.get(id)
    if (!listeners) return
    this.#waiting.delete(id)
    const known = end()
    for (const listener of listeners) listener(known)
  }

  /**
   * Resolves at the end of a saga that runs in this process, or after `ms`, or when the signal is aborted. Listen before the
   * saga is made: it may end sooner than its start is answered.
   */
  listen(id: string): { ended(ms: number, signal: AbortSignal): Promise<End | undefined>; cancel(): void } {
    let known: End | undefined
    let wake = (): void => undefined
    const listener: Listener = (end) => {
      known = end
      wake()
    }
    const listeners = this.#waiting.get(id) ?? new Set()
    listeners.add(listener)
    this.#waiting.set(id, listeners)
    const cancel = (): void => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#waiting.get(id) === listeners) this.#waiting.delete(id)
    }
    return {
      cancel,
      ended: (ms, signal) =>
        new Promise((resolve) => {
          const done = (): void => {
            clearTimeout(timer)
            signal.removeEventListener('abort', done)
            cancel()
            resolve(known)
          }
          const timer = setTimeout(done, ms)
          signal.addEventListener('abort', done, { once: true })
          wake = done
          if (known !== undefined || signal.aborted) done()
        }),
    }
  }
}
