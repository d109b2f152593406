import { type Breakers, type ClickHouse, type Clock, systemCall } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { Guard } from './guard.ts'

export interface ReadGuardDeps {
  readonly clickhouse: ClickHouse
  readonly breakers: Breakers
  readonly clock: Clock
  /** Reads that run at once. What is left of the engine's sessions is for storing. */
  readonly maxConcurrent: number
  /** It runs on this machine, as a child. */
  readonly embedded: boolean
}

const askMs = 1_000
const never = new AbortController().signal

/**
 * What storage.read asks of ClickHouse, behind a breaker. Storing is not: each partition has one statement under way at most
 * and pauses longer after each that fails, and what it sends has to be sent.
 */
export function guardReads(
  read: StorageRead,
  { clickhouse, breakers, clock, maxConcurrent, embedded }: ReadGuardDeps,
): StorageRead {
  // Of replicas one may be sick, which is for the driver to find out: here it is about all of them.
  const ask = () => clickhouse.rows({ sql: 'SELECT 1', replicas: 'any' }, systemCall(clock, askMs, never))
  const breaker = breakers.get('clickhouse read', maxConcurrent)
  const guard = new Guard({ name: 'ClickHouse', breaker, clock, ask, cuts: true, patient: embedded })
  return {
    ...read,
    list: (input, call) => guard.run(call, (within) => read.list(input, within)),
    aggregate: (input, call) => guard.run(call, (within) => read.aggregate(input, within)),
  }
}
