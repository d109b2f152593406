import type { Breaker, BreakerState, Breakers, Clock, Labels, Logger, Metrics, Reading } from '@splitstream/kernel'
import { type BreakerEvents, type BreakerLimits, GuardedCalls } from './breaker.ts'

export interface BreakersOptions {
  /** What the dependencies are, in the names of metrics: `saga_participants`. */
  readonly kind: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits?: Partial<BreakerLimits>
  /** For those of some names. */
  readonly limitsOf?: (name: string) => Partial<BreakerLimits>
  /** What tells them apart in metrics. Only where they are few and always the same; without it metrics have their sums. */
  readonly label?: string
  /** One that was not used for so long is forgotten, ms. */
  readonly forgetAfterMs?: number
}

const defaults: BreakerLimits = {
  slowMs: 1_000,
  badPercent: 50,
  minCalls: 20,
  windowMs: 10_000,
  openMs: 1_000,
  maxOpenMs: 4_000,
  maxWaiting: 64,
  maxWaitMs: 250,
}

const hour = 3_600_000

export function createBreakers(options: BreakersOptions): NamedBreakers {
  return new NamedBreakers(options)
}

export class NamedBreakers implements Breakers {
  readonly #options: BreakersOptions
  readonly #limits: BreakerLimits
  readonly #now: () => number
  readonly #forgetAfterMs: number
  readonly #all = new Map<string, GuardedCalls>()
  readonly #openings: ReturnType<Metrics['counter']>
  readonly #labels: (name: string) => Labels
  #sweepAt: number
  #onEnd: BreakerEvents['ended'] = () => {}

  constructor(options: BreakersOptions) {
    this.#options = options
    this.#limits = { ...defaults, ...options.limits }
    this.#now = () => options.clock.monotonic()
    this.#forgetAfterMs = options.forgetAfterMs ?? hour
    this.#sweepAt = this.#now() + this.#forgetAfterMs
    const { label } = options
    this.#labels = (name) => (label === undefined ? {} : { [label]: name })
    this.#openings = this.#metrics(options.metrics, `splitstream.${options.kind}`)
  }

  get(name: string, maxConcurrent: number): Breaker {
    const now = this.#now()
    if (now >= this.#sweepAt) this.#sweep(now)
    let found = this.#all.get(name)
    if (!found) {
      const limits = { ...this.#limits, ...this.#options.limitsOf?.(name) }
      found = new GuardedCalls(maxConcurrent, limits, this.#events(name), this.#now)
      this.#all.set(name, found)
    }
    found.usedAt = now
    found.bulkhead.limit = maxConcurrent
    return found
  }

  find(name: string): Breaker | undefined {
    return this.#all.get(name)
  }

  /** Tells `listener` of each call that ends: what its end says, and how long it took from its turn on, ms. There is one listener. */
  onEnd(listener: BreakerEvents['ended']): void {
    this.#onEnd = listener
  }

  /** Of those that were used within `ms`: how many there are, and how many let no call through, or one that finds out. */
  count(ms: number): { readonly all: number; readonly open: number } {
    const since = this.#now() - ms
    const used = [...this.#all.values()].filter(({ usedAt }) => usedAt >= since)
    return { all: used.length, open: used.filter((one) => one.state() !== 'closed').length }
  }

  /** A tenth of the time later than it has to be, so that it costs little. */
  #sweep(now: number): void {
    this.#sweepAt = now + this.#forgetAfterMs / 10
    for (const [name, { usedAt, bulkhead }] of this.#all) {
      if (usedAt <= now - this.#forgetAfterMs && bulkhead.running === 0) this.#all.delete(name)
    }
  }

  #events(name: string): BreakerEvents {
    const { logger } = this.#options
    return {
      opened: (why: string, forMs: number): void => {
        this.#openings.add(1, this.#labels(name))
        logger.warn('a breaker opened', { breaker: name, why, forMs })
      },
      closed: (): void => logger.info('a breaker closed', { breaker: name }),
      ended: (verdict, ms): void => this.#onEnd(verdict, ms),
    }
  }

  #metrics(metrics: Metrics, prefix: string): ReturnType<Metrics['counter']> {
    const { label } = this.#options
    const sum = (of: (guarded: GuardedCalls) => number): (() => Reading) => {
      if (label !== undefined) return () => [...this.#all].map(([name, one]) => [this.#labels(name), of(one)] as const)
      return () => [...this.#all.values()].reduce((total, guarded) => total + of(guarded), 0)
    }
    const inState = (state: BreakerState) => sum((guarded) => (guarded.state() === state ? 1 : 0))
    metrics.gauge(`${prefix}.breakers.open`, 'Breakers that let no call through', inState('open'))
    metrics.gauge(`${prefix}.breakers.half_open`, 'Breakers that let one call through', inState('half-open'))
    metrics.gauge(
      `${prefix}.breakers`,
      'Breakers, in any state',
      sum(() => 1),
    )
    metrics.gauge(
      `${prefix}.calls.running`,
      'Calls that run',
      sum(({ bulkhead }) => bulkhead.running),
    )
    metrics.gauge(
      `${prefix}.calls.waiting`,
      'Calls that wait for their turn',
      sum(({ bulkhead }) => bulkhead.waiting),
    )
    const names = label === undefined ? [] : [label]
    return metrics.counter(`${prefix}.breaker.openings`, 'Times that a breaker opened', names)
  }
}
