import { AppError, type Metrics, type Random, systemRandom } from '@splitstream/kernel'

/** A tenant may hold this many times of what is left for others. */
const greed = 4
/** Tenants that are remembered; above it those that hold nothing are forgotten. */
const maxRemembered = 10_000

/** The bytes of one tenant's requests, or of all that have none. */
export interface Share {
  /** @throws AppError OVERLOADED */
  take(bytes: number): void
  give(bytes: number): void
}

/**
 * Request bytes in memory, over all requests. Above the limit new ones are refused before they are read. A tenant that
 * takes them all is refused sooner: its own may be four times of what is left (the dynamic threshold of Choudhury and Hahne,
 * 1998, for shared buffers), so one noisy tenant leaves a fifth, two of them a ninth, to whoever comes next.
 */
export class InFlight implements Share {
  #limit: number
  readonly #random: Random
  readonly #shares = new Map<string, TenantShare>()
  #refused: ReturnType<Metrics['counter']> | undefined
  #bytes = 0

  /** @param random spreads the clients that are told to come back */
  constructor(limit: number, random: Random = systemRandom) {
    this.#limit = limit
    this.#random = random
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Requests that are there already stay. */
  setLimit(bytes: number): void {
    this.#limit = bytes
  }

  /** Shows it in the metrics. */
  tell(metrics: Metrics): void {
    metrics.gauge('splitstream.http.in_flight', 'Request bytes in memory', () => this.#bytes, 'By')
    const help = 'Requests that were refused because there were too many bytes in memory'
    this.#refused = metrics.counter('splitstream.http.in_flight.refused', help, ['cause'], '{request}')
  }

  /** The account of one tenant. */
  of(tenant: string): Share {
    let share = this.#shares.get(tenant)
    if (!share) {
      if (this.#shares.size >= maxRemembered) this.#forget()
      share = new TenantShare(this)
      this.#shares.set(tenant, share)
    }
    return share
  }

  /** @param own what the tenant holds already; the first request of a tenant is its share in any case. @throws AppError OVERLOADED */
  take(bytes: number, own = 0): void {
    const left = this.#limit - this.#bytes - bytes
    if (left < 0) this.#refuse(limitCause, 'Too many bytes are being worked on')
    if (own > 0 && own + bytes > greed * left)
      this.#refuse(shareCause, 'Too many bytes of this tenant are being worked on')
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }

  #refuse(cause: typeof limitCause | typeof shareCause, message: string): never {
    this.#refused?.add(1, cause)
    throw new AppError('OVERLOADED', message, { retryAfterMs: 1_000 + this.#random.fraction() * 2_000 })
  }

  #forget(): void {
    for (const [tenant, { bytes }] of this.#shares) if (bytes === 0) this.#shares.delete(tenant)
  }
}

const limitCause = { cause: 'limit' }
const shareCause = { cause: 'tenant_share' }

class TenantShare implements Share {
  readonly #all: InFlight
  bytes = 0

  constructor(all: InFlight) {
    this.#all = all
  }

  take(bytes: number): void {
    this.#all.take(bytes, this.bytes)
    this.bytes += bytes
  }

  give(bytes: number): void {
    this.bytes -= bytes
    this.#all.give(bytes)
  }
}
