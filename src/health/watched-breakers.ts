import type { Breakers, Health, Verdict } from '@splitstream/kernel'
import type { ProcessHealth } from './process-health.ts'

/** Those that were used within so long count, ms: nobody finds out about the others. */
const freshMs = 30_000

/** Breakers that can be counted, and tell how calls end. */
export interface CountedBreakers extends Breakers {
  /** Of those that were used within `ms`: how many there are, and how many let no call through, or one that finds out. */
  count(ms: number): { readonly all: number; readonly open: number }
  /** Tells `listener` of each call that ends: what its end says, and how long it took from its turn on, ms. */
  onEnd(listener: (verdict: Verdict, ms: number) => void): void
}

/**
 * Makes the calls of all these breakers together one dependency. GET /health needs no key, so it tells how many of them are open, and
 * never names one. It is degraded then and no more: whom they lead to is up to the tenants, and each breaker keeps to itself.
 * @returns the same breakers
 */
export function watchBreakers(breakers: CountedBreakers, name: string, health: ProcessHealth): Breakers {
  const state = (): Health => {
    const { all, open } = breakers.count(freshMs)
    if (open === 0) return { state: 'ok' }
    return { state: 'degraded', reason: `${open} of ${all} are not called, as calls of them failed or were slow` }
  }
  const dependency = health.dependency(name, { state })
  breakers.onEnd((verdict, ms) => dependency.note(verdict, ms))
  return breakers
}
