import type { Breakers, Clock, Logger, Metrics } from '@splitstream/kernel'
import { createBreakers } from './breakers.ts'

/**
 * The breakers of what the process itself depends on: an engine, a port of other processes. They are few, are never
 * forgotten, and each has its own series in the metrics. docs/degradation.md has the table.
 */
export function dependencyBreakers(parts: { clock: Clock; logger: Logger; metrics: Metrics }): Breakers {
  return createBreakers({
    ...parts,
    kind: 'dependency',
    label: 'splitstream.dependency',
    // A probe costs next to nothing. One that began just before all was well again fails a second later: then 2 s more.
    limits: { minCalls: 10, openMs: 500, maxOpenMs: 2_000, maxWaiting: 256, maxWaitMs: 5_000 },
    // A worker of sagas renews its lease, of 3 s, every 0.6 s: that must not be kept from it when Postgres is back.
    limitsOf: (name) => (name.startsWith('postgres ') ? { openMs: 200, maxOpenMs: 500 } : {}),
    forgetAfterMs: Number.POSITIVE_INFINITY,
  })
}
