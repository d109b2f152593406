import { AppError } from '@splitstream/kernel'

/** Of the places, kept for tenants that have no stream: one tenant cannot take all. */
const reserve = 0.1

/** Live streams that may be open at once, in this process. */
export class StreamPlaces {
  readonly #most: number
  readonly #byTenant = new Map<string, number>()
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  get taken(): number {
    return this.#taken
  }

  /** The result gives the place back; calling it twice does no harm. @throws AppError OVERLOADED */
  take(tenant: string): () => void {
    const held = this.#byTenant.get(tenant) ?? 0
    const free = this.#most - this.#taken - (held > 0 ? Math.floor(this.#most * reserve) : 0)
    if (free <= 0) {
      const detail = `${this.#taken} live streams are open here, and no more may be: set QUERY_MAX_STREAMS`
      throw new AppError('OVERLOADED', detail, { retryAfterMs: 5_000 })
    }
    this.#count(tenant, 1)
    let given = false
    return () => {
      if (!given) this.#count(tenant, -1)
      given = true
    }
  }

  #count(tenant: string, n: 1 | -1): void {
    this.#taken += n
    const held = (this.#byTenant.get(tenant) ?? 0) + n
    if (held > 0) this.#byTenant.set(tenant, held)
    else this.#byTenant.delete(tenant)
  }
}
