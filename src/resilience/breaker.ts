import type { Breaker, BreakerState, Judge, Verdict } from '@splitstream/kernel'
import { Bulkhead, type QueueLimits } from './bulkhead.ts'
import { Circuit, type CircuitEvents, type CircuitLimits } from './circuit.ts'

export interface BreakerLimits extends CircuitLimits, QueueLimits {}

export interface BreakerEvents extends CircuitEvents {
  /** A call has ended. @param ms how long it took, from its turn on */
  ended(verdict: Verdict, ms: number): void
}

/** A circuit and a bulkhead. */
export class GuardedCalls implements Breaker {
  readonly circuit: Circuit
  readonly bulkhead: Bulkhead
  readonly #events: BreakerEvents
  readonly #now: () => number
  /** Monotonic, ms. */
  usedAt: number

  constructor(maxConcurrent: number, limits: BreakerLimits, events: BreakerEvents, now: () => number) {
    this.#events = events
    this.#now = now
    this.usedAt = now()
    this.circuit = new Circuit(limits, events, now)
    this.bulkhead = new Bulkhead(maxConcurrent, limits, now)
  }

  async run<T>(work: () => Promise<T>, judge: Judge<T>, signal?: AbortSignal, tenant?: string): Promise<T> {
    const { circuit, bulkhead } = this
    if (circuit.admit()) bulkhead.enterAnyway(tenant)
    else if (!bulkhead.tryEnter(tenant)) {
      await bulkhead.enter(signal, tenant)
      this.#admitAgain(tenant)
    }
    const from = this.#now()
    let end: ReturnType<Circuit['watch']> | undefined
    let verdict: Verdict = 'none'
    try {
      const running = work()
      end = circuit.watch(judge)
      const value = await running
      verdict = judge.value(value)
      return value
    } catch (error) {
      verdict = judge.error(error)
      throw error
    } finally {
      const ms = this.#now() - from
      // So that who calls next, the first one who waits among them, meets the state that this call led to.
      const noted = end?.(verdict)
      if (noted) await noted
      bulkhead.leave(tenant, ms)
      this.#events.ended(verdict, ms)
    }
  }

  state(): BreakerState {
    return this.circuit.state
  }

  blocked(): string | undefined {
    const refusal = this.circuit.refusal()
    if (refusal) return `${refusal.why}; next try in ${refusal.afterMs} ms`
    return this.bulkhead.full ? `${this.bulkhead.limit} calls run at once already` : undefined
  }

  opensFor(): number {
    return this.circuit.refusal()?.afterMs ?? 0
  }

  /** It may have opened in the meantime. From here to the call nothing may wait, or two would be the one probe. */
  #admitAgain(tenant: string | undefined): void {
    try {
      this.circuit.admit()
    } catch (error) {
      this.bulkhead.leave(tenant)
      throw error
    }
  }
}
