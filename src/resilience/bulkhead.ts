import { AppError } from '@splitstream/kernel'
import { SharedPlaces } from './shared-places.ts'

interface Waiting {
  readonly tenant: string | undefined
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

/**
 * So many calls at once; a few more wait for a moment, in the order in which they came. Of both a tenant cannot take all: the
 * first call of another runs, and overtakes what waits, or finds room to wait.
 */
export class Bulkhead {
  readonly #maxWaitMs: number
  readonly #now: () => number
  readonly #running: SharedPlaces
  readonly #waiting: SharedPlaces
  /** Never has one that may run, but those whose wait is over. */
  readonly #queue: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  /** Of the calls of late, ms: each new one counts for a sixteenth. Before there was one, a guess. */
  #meanMs = 100
  /** When the last one that was refused was told to come again; monotonic, ms. */
  #lastTurn = 0

  /** @param now monotonic, ms */
  constructor(limit: number, { maxWaiting, maxWaitMs }: QueueLimits, now: () => number) {
    this.#running = new SharedPlaces(limit)
    this.#waiting = new SharedPlaces(maxWaiting)
    this.#maxWaitMs = maxWaitMs
    this.#now = now
  }

  /** Calls that may run at once. Less than before takes effect as calls end. */
  get limit(): number {
    return this.#running.most
  }

  set limit(limit: number) {
    if (limit === this.#running.most) return
    this.#running.most = limit
    this.#goOn()
  }

  get running(): number {
    return this.#running.taken
  }

  get waiting(): number {
    return this.#waiting.taken
  }

  get full(): boolean {
    return !this.#running.hasRoom() && !this.#waiting.hasRoom()
  }

  /** Takes a place if there is one for the tenant; else false. */
  tryEnter(tenant?: string): boolean {
    if (!this.#running.hasRoom(tenant)) return false
    this.#running.take(tenant)
    return true
  }

  /** Takes a place though there may be none: for a probe, which must not wait for calls that hang. */
  enterAnyway(tenant?: string): void {
    this.#running.take(tenant)
  }

  /** Waits for a place and takes it. @throws AppError OVERLOADED, CANCELLED */
  async enter(signal: AbortSignal | undefined, tenant?: string): Promise<void> {
    if (signal?.aborted) throw left()
    if (!this.#waiting.hasRoom(tenant)) throw this.#overloaded()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const until = this.#now() + this.#maxWaitMs
    const waiting: Waiting = { tenant, until, resolve, reject, over: false }
    this.#queue.push(waiting)
    this.#waiting.take(tenant)
    this.#timer ??= setTimeout(this.#expire, this.#maxWaitMs)
    const leave = (): void => this.#giveUp(waiting, left())
    signal?.addEventListener('abort', leave)
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', leave)
    }
  }

  /** Gives the place of `tenant` back. @param ms how long the call took, when there was one */
  leave(tenant?: string, ms?: number): void {
    if (ms !== undefined) this.#meanMs += (ms - this.#meanMs) / 16
    this.#running.give(tenant)
    this.#goOn()
  }

  /** Lets those in who may run now. */
  #goOn(): void {
    for (let i = 0; i < this.#queue.length && this.#running.hasRoom(); ) {
      const one = this.#queue[i]!
      if (!one.over && !this.#running.hasRoom(one.tenant)) {
        i++
        continue
      }
      this.#queue.splice(i, 1)
      if (one.over) continue
      one.over = true
      this.#waiting.give(one.tenant)
      this.#running.take(one.tenant)
      one.resolve()
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
    this.#waiting.give(waiting.tenant)
    waiting.reject(error)
  }

  #overloaded(): AppError {
    return new AppError('OVERLOADED', `${this.running} calls run at once already`, { retryAfterMs: this.#afterMs() })
  }

  /** After those who wait and those who were refused before, as calls end: else all would come again at once. */
  #afterMs(): number {
    const now = this.#now()
    const eachMs = this.#meanMs / this.limit
    const turn = Math.max(this.#lastTurn, now + eachMs * this.waiting) + eachMs
    this.#lastTurn = Math.min(turn, now + maxAfterMs)
    return Math.max(minAfterMs, Math.ceil(this.#lastTurn - now))
  }
}

const [minAfterMs, maxAfterMs] = [10, 10_000]

const left = (): AppError => new AppError('CANCELLED', 'The caller left before its turn')
