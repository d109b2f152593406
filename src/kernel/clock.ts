import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** Time, injected everywhere so that tests and the simulator own it. */
export interface Clock {
  /** Wall clock, ms since the Unix epoch. Only for values that users see; never for timeouts. */
  now(): number
  /** Monotonic clock, ms. For deadlines, leases and durations. */
  monotonic(): number
  /** Waits `ms`. @throws the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {})
  },
}

/** Randomness, injected for the same reason. */
export interface Random {
  bytes(n: number): Uint8Array
  /** In [0, 1). For jitter, never for secrets. */
  fraction(): number
}

export const systemRandom: Random = { bytes: (n) => randomBytes(n), fraction: () => Math.random() }
