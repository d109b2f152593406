import {
  AppError,
  type Call,
  type Clock,
  covers,
  type LogReader,
  type Position,
  remaining,
  whyAborted,
} from '@splitstream/kernel'

interface Waiter {
  met(): boolean
  resolve(): void
}

/** How far each partition is confirmed: everything before is visible to queries. Waiters learn of it as it moves. */
export class Confirmed {
  readonly #next = new Map<number, number>()
  readonly #waiters = new Set<Waiter>()
  readonly #hurry = new Map<number, () => void>()
  readonly #clock: Clock
  readonly #maxWaiters: number
  readonly #log: Pick<LogReader, 'end' | 'isSkipped'>

  constructor(clock: Clock, log: Pick<LogReader, 'end' | 'isSkipped'>, maxWaiters = 10_000) {
    this.#clock = clock
    this.#log = log
    this.#maxWaiters = maxWaiters
  }

  /** A copy: what is confirmed now. */
  position(): Position {
    return new Map(this.#next)
  }

  advance(partition: number, next: number): void {
    if (next <= (this.#next.get(partition) ?? -1)) return
    this.#next.set(partition, next)
    for (const waiter of this.#waiters) if (waiter.met()) waiter.resolve()
  }

  /** Registers what a waiter does to make a partition's consumer stop lingering. */
  onHurry(partition: number, hurry: () => void): void {
    this.#hurry.set(partition, hurry)
  }

  /**
   * Places that a restored log leaves out count as within it: they were given once, and it goes on behind them.
   * @throws AppError POSITION_INVALID when it lies beyond the end of the log, as far as that is known
   */
  checkWithin(wanted: Position): void {
    for (const [partition, next] of wanted) {
      if (next <= (this.#log.end(partition) ?? next) || this.#log.isSkipped?.(partition, next)) continue
      throw new AppError('POSITION_INVALID', 'The position lies beyond the end of the log: no answer ever gave it')
    }
  }

  /**
   * Resolves once `wanted` is confirmed.
   * @throws AppError POSITION_INVALID when it lies beyond the end of the log, NOT_YET_STORED when the budget ends first, CANCELLED, OVERLOADED when too many wait.
   */
  async until(wanted: Position, call: Call): Promise<void> {
    if (covers(this.#next, wanted)) return
    this.checkWithin(wanted)
    this.#checkRoom()
    for (const [partition, next] of wanted) {
      if ((this.#next.get(partition) ?? 0) < next) this.#hurry.get(partition)?.()
    }
    await this.#wait(() => covers(this.#next, wanted), remaining(call, this.#clock), call.signal)
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

  /**
   * Waits until a partition is confirmed beyond `from`, for `ms` at most, or until the signal is aborted. Nobody's storing
   * hurries for it. @throws AppError OVERLOADED when too many wait
   */
  async beyond(from: Position, ms: number, signal: AbortSignal): Promise<void> {
    const met = (): boolean => {
      for (const [partition, next] of this.#next) if (next > (from.get(partition) ?? 0)) return true
      return false
    }
    if (met() || signal.aborted) return
    this.#checkRoom()
    await this.#wait(met, ms, signal)
  }

  #checkRoom(): void {
    if (this.#waiters.size < this.#maxWaiters) return
    throw new AppError('OVERLOADED', 'Too many requests wait for events to be stored', { retryAfterMs: 1000 })
  }

  async #wait(met: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter: Waiter = { met, resolve }
    this.#waiters.add(waiter)
    try {
      const late = this.#clock.sleep(ms, AbortSignal.any([signal, stop.signal])).catch(() => undefined)
      await Promise.race([promise, late])
    } finally {
      stop.abort()
      this.#waiters.delete(waiter)
    }
  }
}
