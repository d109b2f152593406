import { type Quota, windowMs } from './quota.ts'

/** Sums of parts of a millisecond are not exact, ms. */
const tolerance = 0.001

export type Unit = 'requests' | 'content-bytes'

/**
 * One quota as a token bucket that holds what may be used in one second, kept as one instant (GCRA, the generic cell rate
 * algorithm): the time at which it will be full again. What is refused uses nothing. A request that is larger than the
 * bucket needs a full one and leaves a debt, so that large requests go through, at the same rate.
 */
export class Meter {
  /** As the policy is called in the RateLimit fields. */
  readonly policy: string
  /** What it counts, for whoever shares it. */
  readonly name: string
  readonly unit: Unit
  readonly perSecond: number
  /** Used here and not told to the other processes yet, as time of the quota, ms. */
  untold = 0
  readonly #msForOne: number
  /** When it will be full, monotonic, ms. */
  #fullAt = Number.NEGATIVE_INFINITY

  constructor(o: { policy: string; name: string; unit: Unit; perSecond: number }) {
    this.policy = o.policy
    this.name = o.name
    this.unit = o.unit
    this.perSecond = o.perSecond
    this.#msForOne = windowMs / o.perSecond
  }

  /** Units that a request with a body of so many bytes uses. */
  unitsOf(bytes: number): number {
    return this.unit === 'requests' ? 1 : bytes
  }

  /** How long `units` have to wait at the time `now`, ms; 0 or less: not at all. */
  wait(units: number, now: number): number {
    return this.#fullAt - now - windowMs + Math.min(windowMs, units * this.#msForOne) - tolerance
  }

  use(units: number, now: number): void {
    const ms = units * this.#msForOne
    this.#fullAt = Math.max(this.#fullAt, now) + ms
    this.untold += ms
  }

  /** All processes together have used it up to `aheadMs` from now, without what is untold here. */
  learn(aheadMs: number, now: number): void {
    this.#fullAt = now + aheadMs + this.untold
  }

  /** Its item of RateLimit-Policy. */
  get item(): string {
    const unit = this.unit === 'requests' ? '' : `;qu="${this.unit}"`
    return `"${this.policy}";q=${this.perSecond}${unit};w=${windowMs / 1_000}`
  }

  /** Its item of RateLimit: units that are left, and after how many seconds there are more. */
  left(now: number): string {
    const units = Math.floor((windowMs - Math.max(0, this.#fullAt - now) + tolerance) / this.#msForOne)
    const t = units >= 1 ? 1 : Math.max(1, Math.ceil(this.wait(1, now) / 1_000))
    return `"${this.policy}";r=${Math.max(0, units)};t=${t}`
  }
}

export const isEmpty = ({ requestsPerSecond, bytesPerSecond }: Quota): boolean =>
  requestsPerSecond === undefined && bytesPerSecond === undefined
