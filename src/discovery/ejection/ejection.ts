import type { Clock, Health, Logger } from '@splitstream/kernel'
import type { Discovery } from '../discovery.ts'
import type { Instance, Outcome } from '../resolver.ts'
import { type Calls, isError } from './call-window.ts'
import { outliers, slowLimit } from './outliers.ts'
import { Standing, type State } from './standing.ts'

/** An instance and how it has done in the last 10 s. */
export interface InstanceView {
  readonly origin: string
  readonly state: State
  readonly calls: number
  /** Failed, unreachable, lost or late. */
  readonly errors: number
  /** ms; 0 without calls. */
  readonly p99: number
}

export interface EjectionOptions {
  readonly clock: Clock
  readonly logger: Logger
}

/** Between two judgements, ms. */
const judgeEveryMs = 100

/** What a difference of two readings of the clock may be off by, ms. */
const roundingMs = 0.001

/*
 * Leaves out instances that do worse than the others (outlier ejection, as Envoy has it). What makes one an outlier is in
 * outliers.ts, the way of one instance out and back in standing.ts. Here is how many may be out: never more than a third,
 * rounded down. So of one or two instances none is ever out: of two, one is half of the capacity, and which of two is the
 * odd one cannot be told from the two alone; the caller's own retry reaches the other one.
 *
 * An instance that is due for its trial is, for one call, the whole list: whoever asks next sends that call there.
 */
export class EjectingDiscovery implements Discovery {
  readonly #inner: Discovery
  readonly #clock: Clock
  readonly #logger: Logger
  #known: readonly Instance[] | undefined
  #standings: ReadonlyMap<Instance, Standing> = new Map()
  #serving: readonly Instance[] = []
  #out: readonly Instance[] = []
  #reported = false
  #judgedAt = Number.NEGATIVE_INFINITY

  constructor(inner: Discovery, { clock, logger }: EjectionOptions) {
    this.#inner = inner
    this.#clock = clock
    this.#logger = logger
  }

  current(): readonly Instance[] {
    const now = this.#clock.monotonic()
    this.#adopt(now)
    if (this.#reported && now - this.#judgedAt >= judgeEveryMs) this.#judge(now)
    for (const instance of this.#out) {
      const standing = this.#standings.get(instance)!
      if (now < standing.until) continue
      standing.try(now)
      return [instance]
    }
    return this.#serving
  }

  report(instance: Instance, outcome: Outcome, ms: number): void {
    this.#inner.report(instance, outcome, ms)
    const now = this.#clock.monotonic()
    const standing = this.#standings.get(instance)
    if (!standing || now - ms < standing.since - roundingMs) return
    if (standing.state === 'serving') {
      standing.calls.add(outcome, ms, now)
      this.#reported = true
    } else if (standing.state === 'trial' && outcome !== 'refused') {
      this.#endTrial(instance, standing, outcome, ms, now)
    }
  }

  /** Every instance with its state, once; takes no trial. */
  view(): readonly InstanceView[] {
    const now = this.#clock.monotonic()
    this.#adopt(now)
    return [...this.#standings].map(([{ origin }, { state, calls }]) => {
      const { count, errors, p99 } = calls.read(now)
      return { origin, state, calls: count, errors, p99 }
    })
  }

  start(): Promise<void> {
    return this.#inner.start()
  }

  stop(): Promise<void> {
    return this.#inner.stop()
  }

  health(): Health {
    const health = this.#inner.health()
    if (health.state !== 'ok' || this.#out.length === 0) return health
    const reasons = this.#out.map((one) => `${one.origin} is left out: ${this.#standings.get(one)!.reason}`)
    return { state: 'degraded', reason: reasons.join('; ') }
  }

  /** Takes over what discovery knows now. Instances that are still there keep their standing. */
  #adopt(now: number): void {
    const known = this.#inner.current()
    if (known === this.#known) return
    this.#known = known
    this.#standings = new Map(known.map((one) => [one, this.#standings.get(one) ?? new Standing()]))
    const tooMany = this.#outs().length - this.#mayBeOut()
    // There are fewer now: those come back that would have come back first.
    const next = this.#outs().toSorted((a, b) => this.#standings.get(a)!.until - this.#standings.get(b)!.until)
    for (const instance of next.slice(0, Math.max(0, tooMany))) this.#standings.get(instance)!.admit(now)
    this.#list()
  }

  #judge(now: number): void {
    this.#reported = false
    this.#judgedAt = now
    const free = this.#mayBeOut() - this.#out.length
    if (free <= 0) return
    for (const { key, reason } of outliers(this.#read(now)).slice(0, free)) this.#eject(key, reason, now)
  }

  #endTrial(instance: Instance, standing: Standing, outcome: Outcome, ms: number, now: number): void {
    const limit = slowLimit(this.#read(now), instance)
    if (isError.has(outcome)) return this.#eject(instance, `a trial call ended ${outcome}`, now)
    if (limit !== undefined && ms > limit) {
      return this.#eject(instance, `a trial call took ${Math.round(ms)} ms`, now)
    }
    standing.admit(now)
    this.#list()
    this.#logger.info('an instance is called again', { instance: instance.origin })
  }

  #eject(instance: Instance, reason: string, now: number): void {
    const standing = this.#standings.get(instance)!
    standing.eject(reason, now)
    this.#list()
    const forMs = standing.until - now
    this.#logger.warn('an instance is left out', { instance: instance.origin, reason, forMs })
  }

  #read(now: number): ReadonlyMap<Instance, Calls> {
    const serving = [...this.#standings].filter(([, standing]) => standing.state === 'serving')
    return new Map(serving.map(([instance, standing]) => [instance, standing.calls.read(now)]))
  }

  #mayBeOut(): number {
    return Math.floor(this.#standings.size / 3)
  }

  #outs(): readonly Instance[] {
    return [...this.#standings].flatMap(([instance, { state }]) => (state === 'serving' ? [] : [instance]))
  }

  /** An instance that discovery names several times, for its weight, is left out as often. */
  #list(): void {
    this.#out = this.#outs()
    this.#serving = this.#known!.filter((one) => this.#standings.get(one)!.state === 'serving')
  }
}
