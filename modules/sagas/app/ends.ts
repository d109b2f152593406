import { type Call, type Clock, PlacedMap } from '@splitstream/kernel'
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
  /** Monotonic, ms. */
  until: number
  call: Pick<Call, 'signal'> | undefined
  wake(): void
}

/** Those who wait are looked at this often, ms: so much later their time may be over, or that they left be seen. */
const lookMs = 100

/** Those who wait for the end of a saga, or for the moment in which it needs attention: at most one for each, who makes it. */
export class Ends {
  readonly #clock: Clock
  readonly #waiting = new PlacedMap<Waiter>()
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The saga has come to its end, or needs attention; `end` is asked for only when somebody waits. */
  tell(id: string, end: () => End): void {
    const waiter = this.#waiting.get(id)
    if (!waiter) return
    this.#waiting.delete(id)
    waiter.end = end()
    waiter.wake()
  }

  /**
   * Resolves at the end of a saga that runs in this process, or after `ms`, or when the call is aborted. Listen before the
   * saga is made: it may end sooner than its start is answered.
   */
  listen(id: string): { ended(ms: number, call: Pick<Call, 'signal'>): Promise<End | undefined>; cancel(): void } {
    const waiter: Waiter = { end: undefined, until: Number.POSITIVE_INFINITY, call: undefined, wake: () => undefined }
    this.#waiting.set(id, waiter)
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref()
    return {
      cancel: () => this.#waiting.delete(id),
      ended: (ms, call) =>
        new Promise((resolve) => {
          waiter.until = this.#clock.monotonic() + ms
          waiter.call = call
          waiter.wake = () => resolve(waiter.end)
          if (waiter.end !== undefined) waiter.wake()
        }),
    }
  }

  /** One timer for all. And the signal of a call is made when it is asked for: most sagas end before that. */
  #look(): void {
    const now = this.#clock.monotonic()
    for (const { until, call, wake } of this.#waiting.values()) if (now >= until || call?.signal.aborted) wake()
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
