import type { Clock } from '@splitstream/kernel'
import type { Meter } from './meter.ts'
import type { SharedCounts } from './shared-counts.ts'

const periodMs = 100

/**
 * Tells the shared counts what was used here, and the meters what was used everywhere. One round at a time: while Redis
 * is slow, the next round carries more. What was told and not answered is not told again, so a failure never counts twice;
 * then the meters go on by themselves.
 */
export class Sharing {
  readonly #counts: SharedCounts
  readonly #clock: Clock
  /** By tenant: meters with something untold. */
  #used = new Map<string, Meter[]>()
  #round: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(counts: SharedCounts, clock: Clock) {
    this.#counts = counts
    this.#clock = clock
  }

  /** A meter that is about to be used, and had nothing untold. */
  add(tenant: string, meter: Meter): void {
    const meters = this.#used.get(tenant)
    if (meters) meters.push(meter)
    else this.#used.set(tenant, [meter])
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#tick(), periodMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#round
    await this.#tick()
  }

  #tick(): Promise<void> {
    if (this.#used.size === 0) return Promise.resolve()
    this.#round ??= this.#tellAll().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async #tellAll(): Promise<void> {
    const used = this.#used
    this.#used = new Map()
    await Promise.all(Array.from(used, ([tenant, meters]) => this.#tell(tenant, meters)))
  }

  /** Never throws. */
  async #tell(tenant: string, meters: readonly Meter[]): Promise<void> {
    const told = meters.map(({ name, untold }) => ({ name, ms: untold }))
    for (const meter of meters) meter.untold = 0
    const ahead = await this.#counts.exchange(tenant, told).catch(() => undefined)
    const now = this.#clock.monotonic()
    for (const [i, meter] of meters.entries()) {
      const ms = ahead?.[i]
      if (ms !== undefined) meter.learn(ms, now)
    }
  }
}
