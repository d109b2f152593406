import { EngineError } from './errors.ts'

interface Waiter {
  grant(): void
}

/**
 * How many statements run at once, and how many may wait for their turn (first come, first served).
 * A slot is free → taken → handed to the longest waiter, or free again.
 */
export class Slots {
  #free: number
  readonly #waiting = new Set<Waiter>()
  readonly #maxWaiting: number
  readonly #maxWaitMs: number

  constructor(size: number, maxWaiting: number, maxWaitMs: number) {
    this.#free = size
    this.#maxWaiting = maxWaiting
    this.#maxWaitMs = maxWaitMs
  }

  /** Waits for a slot; the answer gives it back. @throws EngineError TOO_MANY_SIMULTANEOUS_QUERIES; the signal's reason. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await this.#wait(signal)
    let taken = true
    return () => {
      if (!taken) return
      taken = false
      const [next] = this.#waiting
      if (next) next.grant()
      else this.#free++
    }
  }

  /** Whoever comes first (the slot, the time limit, the signal) removes the waiter in the same turn: no slot is lost. */
  #wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.size >= this.#maxWaiting) throw tooMany()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      this.#waiting.delete(waiter)
    }
    const giveUp = (reason: unknown): void => {
      leave()
      reject(reason)
    }
    const onAbort = (): void => giveUp(signal.reason)
    const timer = setTimeout(() => giveUp(tooMany()), this.#maxWaitMs)
    const waiter: Waiter = {
      grant: () => {
        leave()
        resolve()
      },
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.add(waiter)
    return promise
  }
}

function tooMany(): EngineError {
  return new EngineError(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many simultaneous queries. Try again later')
}
