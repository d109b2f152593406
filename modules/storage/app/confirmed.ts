import { AppError, type Call, type Clock, covers, type Position, remaining, whyAborted } from '@splitstream/kernel'

interface Waiter {
  readonly wanted: Position
  resolve(): void
}

/** How far each partition is confirmed: everything before is visible to queries. Waiters learn of it as it moves. */
export class Confirmed {
  readonly #next = new Map<number, number>()
  readonly #waiters = new Set<Waiter>()
  readonly #hurry = new Map<number, () => void>()
  readonly #clock: Clock
  readonly #maxWaiters: number
  readonly #endOf: (partition: number) => number | undefined

  /** @param endOf where a partition of the log ends now, when that is known */
  constructor(clock: Clock, endOf: (partition: number) => number | undefined, maxWaiters = 10_000) {
    this.#clock = clock
    this.#endOf = endOf
    this.#maxWaiters = maxWaiters
  }

  /** A copy: what is confirmed now. */
  position(): Position {
    return new Map(this.#next)
  }

  advance(partition: number, next: number): void {
    if (next <= (this.#next.get(partition) ?? -1)) return
    this.#next.set(partition, next)
    for (const waiter of this.#waiters) if (covers(this.#next, waiter.wanted)) waiter.resolve()
  }

  /** Registers what a waiter does to make a partition's consumer stop lingering. */
  onHurry(partition: number, hurry: () => void): void {
    this.#hurry.set(partition, hurry)
  }

  /**
   * Resolves once `wanted` is confirmed.
   * @throws AppError POSITION_INVALID when it lies beyond the end of the log, NOT_YET_STORED when the budget ends first, CANCELLED, OVERLOADED when too many wait.
   */
  async until(wanted: Position, call: Call): Promise<void> {
    if (covers(this.#next, wanted)) return
    for (const [partition, next] of wanted) {
      if (next <= (this.#endOf(partition) ?? next)) continue
      throw new AppError('POSITION_INVALID', 'The position lies beyond the end of the log: no answer ever gave it')
    }
    if (this.#waiters.size >= this.#maxWaiters) {
      throw new AppError('OVERLOADED', 'Too many requests wait for their events to be stored', { retryAfterMs: 1000 })
    }
    for (const [partition, next] of wanted) {
      if ((this.#next.get(partition) ?? 0) < next) this.#hurry.get(partition)?.()
    }
    const stop = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter: Waiter = { wanted, resolve }
    this.#waiters.add(waiter)
    try {
      const signal = AbortSignal.any([call.signal, stop.signal])
      const late = this.#clock.sleep(remaining(call, this.#clock), signal).catch(() => undefined)
      await Promise.race([promise, late])
    } finally {
      stop.abort()
      this.#waiters.delete(waiter)
    }
    if (covers(this.#next, wanted)) return
    // A signal at the end of the budget is the budget's, not a caller that left.
    if (call.signal.aborted && remaining(call, this.#clock) > 0) {
      const why = whyAborted(call.signal)
      if (why.code === 'CANCELLED') throw why
    }
    throw new AppError('NOT_YET_STORED', 'The events are durable but not stored yet; ask again', {
      retryAfterMs: 1000,
    })
  }
}
