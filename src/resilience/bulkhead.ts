import { AppError } from '@splitstream/kernel'

interface Waiting {
  readonly until: number
  resolve(): void
  reject(error: AppError): void
  /** Set once it waits no more; its place in the queue is passed over. */
  over: boolean
}

export interface QueueLimits {
  /** Calls that may wait at once. */
  readonly maxWaiting: number
  /** ms. */
  readonly maxWaitMs: number
}

/** So many calls at once; a few more wait for a moment, in the order in which they came. */
export class Bulkhead {
  /** Calls that may run at once. Less than before takes effect as calls end. */
  limit: number
  readonly #limits: QueueLimits
  readonly #now: () => number
  #running = 0
  #queue: Waiting[] = []
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  /** Of the calls of late, ms: each new one counts for a sixteenth. Before there was one, a guess. */
  #meanMs = 100
  /** When the last one that was refused was told to come again; monotonic, ms. */
  #lastTurn = 0

  /** @param now monotonic, ms */
  constructor(limit: number, limits: QueueLimits, now: () => number) {
    this.limit = limit
    this.#limits = limits
    this.#now = now
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting
  }

  get full(): boolean {
    return this.#running >= this.limit && this.#waiting >= this.#limits.maxWaiting
  }

  /** Takes a place if one is free and nobody waits for it; else false. */
  tryEnter(): boolean {
    if (this.#running >= this.limit || this.#waiting > 0) return false
    this.#running++
    return true
  }

  /** Takes a place though there may be none: for a probe, which must not wait for calls that hang. */
  enterAnyway(): void {
    this.#running++
  }

  /** Waits for a place and takes it. @throws AppError OVERLOADED, CANCELLED */
  async enter(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw left()
    if (this.full) throw this.#overloaded()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { until: this.#now() + this.#limits.maxWaitMs, resolve, reject, over: false }
    this.#queue.push(waiting)
    this.#waiting++
    this.#timer ??= setTimeout(this.#expire, this.#limits.maxWaitMs)
    const leave = (): void => this.#giveUp(waiting, left())
    signal?.addEventListener('abort', leave)
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  /** Gives the place back. @param ms how long the call took, when there was one */
  leave(ms?: number): void {
    if (ms !== undefined) this.#meanMs += (ms - this.#meanMs) / 16
    this.#running--
    while (this.#running < this.limit && this.#waiting > 0) {
      const next = this.#queue.shift()!
      if (next.over) continue
      next.over = true
      this.#waiting--
      this.#running++
      next.resolve()
    }
  }

  /** All wait equally long, so the first of the queue is the first to give up, and one timer is enough. */
  readonly #expire = (): void => {
    const now = this.#now()
    this.#timer = undefined
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      if (!first.over && first.until >= now + 1) {
        this.#timer = setTimeout(this.#expire, first.until - now)
        return
      }
      this.#queue.shift()
      this.#giveUp(first, this.#overloaded())
    }
  }

  #giveUp(waiting: Waiting, error: AppError): void {
    if (waiting.over) return
    waiting.over = true
    this.#waiting--
    waiting.reject(error)
  }

  #overloaded(): AppError {
    return new AppError('OVERLOADED', `${this.limit} calls run at once already`, { retryAfterMs: this.#afterMs() })
  }

  /** After those who wait and those who were refused before, as calls end: else all would come again at once. */
  #afterMs(): number {
    const now = this.#now()
    const eachMs = this.#meanMs / this.limit
    const turn = Math.max(this.#lastTurn, now + eachMs * this.#waiting) + eachMs
    this.#lastTurn = Math.min(turn, now + maxAfterMs)
    return Math.max(minAfterMs, Math.ceil(this.#lastTurn - now))
  }
}

const [minAfterMs, maxAfterMs] = [10, 10_000]

const left = (): AppError => new AppError('CANCELLED', 'The caller left before its turn')
