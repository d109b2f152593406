import type { Breaker, Breakers, Health } from '@splitstream/kernel'
import type { ProcessHealth } from './process-health.ts'

/** Those that were used within so long count, ms: nobody finds out about the others. */
const freshMs = 30_000

/** Breakers that can be counted. */
export interface CountedBreakers extends Breakers {
  /** Of those that were used within `ms`: how many there are, and how many let no call through, or one that finds out. */
  count(ms: number): { readonly all: number; readonly open: number }
}

/**
 * The same breakers, whose calls are together one dependency. GET /health needs no key, so it tells how many of them are open, and never
 * names one. It is degraded then and no more: whom they lead to is up to the tenants, and each breaker keeps to itself.
 */
export function watchBreakers(breakers: CountedBreakers, name: string, health: ProcessHealth): Breakers {
  const state = (): Health => {
    const { all, open } = breakers.count(freshMs)
    if (open === 0) return { state: 'ok' }
    return { state: 'degraded', reason: `${open} of ${all} are not called, as calls of them failed or were slow` }
  }
  const dependency = health.dependency(name, { state })
  const watch = (breaker: Breaker): Breaker => ({
    run: (work, judge, signal, tenant) =>
      breaker.run(
        () =>
          dependency.run(
            work,
            (error) => judge.error(error),
            (value) => judge.value(value),
          ),
        judge,
        signal,
        tenant,
      ),
    state: () => breaker.state(),
    blocked: () => breaker.blocked(),
    opensFor: () => breaker.opensFor(),
  })
  // Each call asks for its breaker.
  const known = new WeakMap<Breaker, Breaker>()
  const watched = (breaker: Breaker): Breaker => {
    let found = known.get(breaker)
    if (!found) {
      found = watch(breaker)
      known.set(breaker, found)
    }
    return found
  }
  return { get: (one, maxConcurrent) => watched(breakers.get(one, maxConcurrent)), find: (one) => breakers.find(one) }
}
