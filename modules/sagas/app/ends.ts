import type { SagaStatus } from '../domain/state.ts'

type Listener = (status: SagaStatus) => void

/** Those who wait for the end of a saga, or for the moment in which it needs attention. */
export class Ends {
  readonly #waiting = new Map<string, Set<Listener>>()

  /** A turn of the saga was committed. */
  tell(id: string, status: SagaStatus): void {
    if (status === 'running' || status === 'compensating') return
    const listeners = this.#waiting.get(id)
    if (!listeners) return
    this.#waiting.delete(id)
    for (const listener of listeners) listener(status)
  }

  /**
   * Resolves at the end of a saga that runs in this process, or after `ms`, or when the signal is aborted. Listen before the
   * saga is made: it may end sooner than its start is answered.
   */
  listen(id: string): { ended(ms: number, signal: AbortSignal): Promise<SagaStatus | undefined>; cancel(): void } {
    let status: SagaStatus | undefined
    let wake = (): void => undefined
    const listener: Listener = (end) => {
      status = end
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
            resolve(status)
          }
          const timer = setTimeout(done, ms)
          signal.addEventListener('abort', done, { once: true })
          wake = done
          if (status !== undefined || signal.aborted) done()
        }),
    }
  }
}
