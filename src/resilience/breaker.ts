import type { Breaker, BreakerState, Judge } from '@splitstream/kernel'
import { Bulkhead, type QueueLimits } from './bulkhead.ts'
import { Circuit, type CircuitEvents, type CircuitLimits } from './circuit.ts'

export interface BreakerLimits extends CircuitLimits, QueueLimits {}

/** A circuit and a bulkhead. */
export class GuardedCalls implements Breaker {
  readonly circuit: Circuit
  readonly bulkhead: Bulkhead
  readonly #now: () => number
  /** Monotonic, ms. */
  usedAt: number

  constructor(maxConcurrent: number, limits: BreakerLimits, events: CircuitEvents, now: () => number) {
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
    try {
      const running = work()
      const noted = circuit.watch(running, judge)
      try {
        return await running
      } finally {
        // So that who calls next, the first one who waits among them, meets the state that this call led to.
        await noted
      }
    } finally {
      bulkhead.leave(tenant, this.#now() - from)
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
