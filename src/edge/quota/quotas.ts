import { AppError, type Clock, type Metrics, type Scope } from '@splitstream/kernel'
import type { Principal } from '../keys/principal.ts'
import { isEmpty, Meter } from './meter.ts'
import type { Quota } from './quota.ts'
import type { OnFailure, SharedCounts } from './shared-counts.ts'
import { Sharing } from './sharing.ts'

/** Keys that are remembered; above it all are forgotten, and everybody has a whole quota once more. More than live at once. */
const maxRemembered = 20_000

/** Of each key that has none of its own, and of each tenant. */
export interface DefaultQuotas {
  readonly key: Quota
  readonly tenant: Quota
}

export interface QuotasOptions extends DefaultQuotas {
  readonly clock: Clock
  readonly metrics: Metrics
  /** Without it each process counts for itself. */
  readonly shared?: SharedCounts | undefined
  readonly onFailure: OnFailure
}

/** The RateLimit fields of an answer (draft-ietf-httpapi-ratelimit-headers-11). */
export interface RateLimit {
  readonly policy: string
  readonly limit: string
}

/** What quotas are told of: they write its RateLimit fields, whether it is refused or not. */
export interface Limited {
  rateLimit: RateLimit | undefined
}

interface Meters {
  readonly all: readonly Meter[]
  /** The quota of the key that they were made for. */
  readonly quota: Quota
  readonly policy: string
}

/**
 * Quotas of keys and tenants. They are counted in memory, so a request waits for nobody. When several processes share them,
 * each tells the others every 100 ms what it let through (`Sharing`): for that long each may let through what is left, and
 * then all wait until the rate is right again.
 */
export class Quotas {
  readonly #options: QuotasOptions
  readonly #sharing: Sharing | undefined
  readonly #limited: ReturnType<Metrics['counter']>
  readonly #keys = new Map<string, Meters>()
  readonly #tenants = new Map<string, readonly Meter[]>()
  /** Only keys with a quota of their own have one. */
  #off: boolean
  #defaults: DefaultQuotas

  constructor(o: QuotasOptions) {
    this.#options = o
    this.#sharing = o.shared && new Sharing(o.shared, o.clock)
    this.#defaults = o
    this.#off = isEmpty(o.key) && isEmpty(o.tenant)
    const help = 'Requests that were refused because a quota was used up'
    this.#limited = o.metrics.counter('splitstream.http.limited', help, ['splitstream.quota'], '{request}')
  }

  start(): void {
    this.#sharing?.start()
  }

  /** From now on; everybody has a whole quota once more. */
  change(defaults: DefaultQuotas): void {
    this.#defaults = defaults
    this.#off = isEmpty(defaults.key) && isEmpty(defaults.tenant)
    this.#keys.clear()
    this.#tenants.clear()
  }

  /** Tells the other processes the last of what was used here. */
  async stop(): Promise<void> {
    await this.#sharing?.stop()
  }

  /**
   * Uses the quotas for a request, before it is read. What operators ask, and what needs no key, is not limited.
   * @param bytes of its body, as it is sent; 0 when that is not known
   * @param now monotonic, ms
   * @throws AppError RATE_LIMITED, or UNAVAILABLE when they cannot be counted and the policy is `closed`
   */
  use(scope: Scope | 'public', principal: Principal, bytes: number, now: number, asked: Limited): void {
    if ((this.#off && principal.quota === undefined) || scope === 'public' || scope === 'admin') return
    const meters = this.#metersOf(principal)
    const { all } = meters
    if (all.length === 0 || this.#unlimited(principal.tenant)) return
    let waitMs = 0
    for (const meter of all) waitMs = Math.max(waitMs, meter.wait(meter.unitsOf(bytes), now))
    if (waitMs > 0) {
      asked.rateLimit = fieldsOf(meters, now)
      throw this.#refusal(all, bytes, waitMs, now)
    }
    for (const meter of all) this.#charge(principal, meter, meter.unitsOf(bytes), now)
    asked.rateLimit = fieldsOf(meters, now)
  }

  /** The body of a request that had passed was larger than was known. */
  useMore(principal: Principal, bytes: number, now: number): void {
    for (const meter of this.#keys.get(principal.id)?.all ?? []) {
      if (meter.unit === 'content-bytes') this.#charge(principal, meter, bytes, now)
    }
  }

  #charge({ tenant }: Principal, meter: Meter, units: number, now: number): void {
    if (units === 0) return
    if (meter.untold === 0) this.#sharing?.add(tenant, meter)
    meter.use(units, now)
  }

  /** @throws AppError UNAVAILABLE */
  #unlimited(tenant: string): boolean {
    const { shared, onFailure } = this.#options
    if (!shared || onFailure === 'local' || shared.reachable(tenant)) return false
    if (onFailure === 'open') return true
    throw new AppError('UNAVAILABLE', 'Quotas cannot be counted while Redis is away', { retryAfterMs: 1_000 })
  }

  #refusal(all: readonly Meter[], bytes: number, waitMs: number, now: number): AppError {
    const violated = all.filter((meter) => meter.wait(meter.unitsOf(bytes), now) > 0).map(({ policy }) => policy)
    for (const policy of violated) this.#limited.add(1, labels[policy])
    const message = `The quota is used up: ${violated.join(', ')}`
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0 // nobody reads it, and it costs more than the rest of a refusal
    try {
      return new AppError('RATE_LIMITED', message, { retryAfterMs: waitMs, details: { 'violated-policies': violated } })
    } finally {
      Error.stackTraceLimit = limit
    }
  }

  #metersOf(principal: Principal): Meters {
    const { key, tenant } = this.#defaults
    const quota = principal.quota ?? key
    const known = this.#keys.get(principal.id)
    if (known && (known.quota === quota || same(known.quota, quota))) return known
    if (this.#keys.size >= maxRemembered) {
      this.#keys.clear()
      this.#tenants.clear()
    }
    let ofTenant = this.#tenants.get(principal.tenant)
    if (!ofTenant) {
      ofTenant = metersFor('tenant', `tenant:${principal.tenant}`, tenant)
      this.#tenants.set(principal.tenant, ofTenant)
    }
    const all = [...metersFor('key', `key:${principal.id}`, quota), ...ofTenant]
    const meters = { all, quota, policy: all.map(({ item }) => item).join(', ') }
    this.#keys.set(principal.id, meters)
    return meters
  }
}

const labels: Readonly<Record<string, { 'splitstream.quota': string }>> = Object.fromEntries(
  ['key', 'key-bytes', 'tenant', 'tenant-bytes'].map((policy) => [policy, { 'splitstream.quota': policy }]),
)

const same = (a: Quota, b: Quota): boolean =>
  a.requestsPerSecond === b.requestsPerSecond && a.bytesPerSecond === b.bytesPerSecond

function metersFor(policy: 'key' | 'tenant', name: string, { requestsPerSecond, bytesPerSecond }: Quota): Meter[] {
  const meters: Meter[] = []
  if (requestsPerSecond !== undefined) {
    meters.push(new Meter({ policy, name: `${name}:requests`, unit: 'requests', perSecond: requestsPerSecond }))
  }
  if (bytesPerSecond !== undefined) {
    const bytes = { policy: `${policy}-bytes`, name: `${name}:bytes`, unit: 'content-bytes' } as const
    meters.push(new Meter({ ...bytes, perSecond: bytesPerSecond }))
  }
  return meters
}

function fieldsOf({ all, policy }: Meters, now: number): RateLimit {
  let limit = ''
  for (const meter of all) limit += limit === '' ? meter.left(now) : `, ${meter.left(now)}`
  return { policy, limit }
}
