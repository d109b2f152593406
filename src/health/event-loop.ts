import type { Health } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'

/** Of the last while, how long the event loop may stand still, ms. */
const [windowMs, stillMs] = [15_000, 7_500]

/**
 * How much of the last 15 s the event loop stood still: by how much a timer came too late. While it stands still nobody is answered,
 * the question about readiness included; this tells why, once it goes on.
 */
export class EventLoopWatch {
  readonly #periodMs: number
  #last: number
  #delays: { readonly at: number; readonly ms: number }[] = []

  /** @param periodMs between two ticks */
  constructor(periodMs: number, now: number) {
    this.#periodMs = periodMs
    this.#last = now
  }

  tick(now: number): void {
    const ms = this.#late(now)
    this.#last = now
    this.#delays = this.#delays.filter(({ at }) => now - at < windowMs)
    if (ms > 0) this.#delays.push({ at: now, ms })
  }

  readonly health = (now: number): Health => {
    const recent = this.#delays.filter(({ at }) => now - at < windowMs)
    const still = Math.min(
      windowMs,
      recent.reduce((sum, { ms }) => sum + ms, this.#late(now)),
    )
    if (still < stillMs) return { state: 'ok' }
    return {
      state: 'down',
      reason: `the event loop stood still for ${seconds(still)} of the last ${seconds(windowMs)}`,
    }
  }

  #late(now: number): number {
    return Math.max(0, now - this.#last - this.#periodMs)
  }
}
