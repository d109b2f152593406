import { randomBytes, randomFillSync } from 'node:crypto'
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

/** Random bytes are drawn in one go for many callers: each draw is a call into the kernel. No byte is handed out twice. */
const pool = Buffer.alloc(4_096)
let used = pool.length

function pooledBytes(n: number): Uint8Array {
  if (n > pool.length) return randomBytes(n)
  if (used + n > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += n
  return Uint8Array.prototype.slice.call(pool, used - n, used)
}

export const systemRandom: Random = { bytes: pooledBytes, fraction: () => Math.random() }
