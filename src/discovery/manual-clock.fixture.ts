import type { Clock } from '@splitstream/kernel'

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 1_000
  #sleepers: { readonly at: number; readonly ms: number; readonly wake: () => void }[] = []

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { at: this.#now + ms, ms, wake: resolve }
    this.#sleepers.push(sleeper)
    const leave = (): void => {
      this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
      reject(signal?.reason)
    }
    if (signal?.aborted) leave()
    else signal?.addEventListener('abort', leave, { once: true })
    return promise
  }

  /** What those who sleep now wait for, ms. */
  sleeping(): number[] {
    return this.#sleepers.map(({ ms }) => ms)
  }

  advance(ms: number): void {
    this.#now += ms
    const awake = this.#sleepers.filter(({ at }) => at <= this.#now)
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#now)
    for (const { wake } of awake) wake()
  }
}
