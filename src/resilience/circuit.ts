import { EventEmitter } from 'node:events'
import { AppError, type BreakerState, type Judge, type Verdict } from '@splitstream/kernel'
import Opossum from 'opossum'

export interface CircuitLimits {
  /** A call is `bad` once it has taken so long, ms. It goes on. */
  readonly slowMs: number
  /** Part of the calls in the window that has to be bad before it opens, percent. */
  readonly badPercent: number
  /** Calls in the window before it can open. */
  readonly minCalls: number
  readonly windowMs: number
  /** How long it stays open at first, ms. Each probe that fails doubles it, up to `maxOpenMs`. */
  readonly openMs: number
  readonly maxOpenMs: number
}

export interface CircuitEvents {
  opened(why: string, forMs: number): void
  closed(): void
}

type Action = [running: Promise<unknown>, judge: Judge<unknown>]
type Options = Opossum.Options<Action> & { state?: { closed: boolean; halfOpen: boolean } }

const slices = 10
/** Rejects what opossum makes of a bad call; nobody sees it. */
const bad = new Error('bad')
const nothing = (): void => {}

/*
 * Opossum's state machine and statistics, one instance for each period that is not open:
 *
 *   closed ──too many bad──▶ open ──time──▶ half-open ──good──▶ closed
 *                             ▲                 │
 *                             └──────bad────────┘
 *
 * An instance that has opened is thrown away, and the next one begins half-open. So what opossum gets wrong cannot happen:
 * calls from before the opening end as if they were the probe, old failures count after the closing, a probe that never
 * ends keeps it half-open for ever. Nor does opossum see calls while it is open (it counts them), cut them (its one
 * AbortController is for all calls) or limit them (it counts those too many as failures).
 */
export class Circuit {
  readonly #limits: CircuitLimits
  readonly #events: CircuitEvents
  readonly #now: () => number
  /** None while open. */
  #current: Opossum<Action, void> | undefined
  /** Opossum's statistics move on with our clock, not by a timer for each. */
  #rotator = new EventEmitter()
  #slice: number
  #openUntil = 0
  #openMs: number
  #why = ''
  #probedAt = 0

  /** @param now monotonic, ms */
  constructor(limits: CircuitLimits, events: CircuitEvents, now: () => number) {
    this.#limits = limits
    this.#events = events
    this.#now = now
    this.#openMs = limits.openMs
    this.#slice = this.#sliceOf(now())
    this.#current = this.#make(false)
  }

  get state(): BreakerState {
    if (this.#current) return this.#current.closed ? 'closed' : 'half-open'
    return this.#now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Why no call is let through now, and for how long; undefined when one would be. */
  refusal(): { readonly why: string; readonly afterMs: number } | undefined {
    const current = this.#current
    if (current?.closed || current?.pendingClose) return undefined
    const now = this.#now()
    // A probe has an outcome by then: it is bad once it is slow.
    if (current)
      return { why: `${this.#why}; a call finds out`, afterMs: left(this.#probedAt + this.#limits.slowMs, now) }
    return now < this.#openUntil ? { why: this.#why, afterMs: left(this.#openUntil, now) } : undefined
  }

  /** Whether the next call is the one that finds out if the dependency works again. @throws AppError UNAVAILABLE */
  admit(): boolean {
    if (this.#current?.closed) return false
    const refusal = this.refusal()
    if (refusal) throw new AppError('UNAVAILABLE', refusal.why, { retryAfterMs: refusal.afterMs })
    this.#current ??= this.#make(true)
    return true
  }

  /** Takes note of a call that `admit` let through just now. Resolves once it is good, bad or too slow; never rejects. */
  watch<T>(running: Promise<T>, judge: Judge<T>): Promise<void> | undefined {
    this.#rotate()
    this.#probedAt = this.#now()
    return this.#current?.fire(running, judge as Judge<unknown>).catch(nothing)
  }

  #make(halfOpen: boolean): Opossum<Action, void> {
    this.#rotator = new EventEmitter()
    const { slowMs, badPercent, minCalls, windowMs } = this.#limits
    const options: Options = {
      timeout: slowMs,
      errorThresholdPercentage: badPercent,
      volumeThreshold: minCalls,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: slices,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotator,
      ...(halfOpen ? { state: { closed: false, halfOpen: true } } : {}),
    }
    const circuit: Opossum<Action, void> = new Opossum(async (running, judge) => {
      const verdict = await verdictOf(running, judge)
      if (verdict === 'bad') throw bad
      // A probe that says nothing: somebody else finds out.
      if (verdict === 'none' && circuit.halfOpen && circuit === this.#current) this.#current = this.#make(true)
    }, options)
    circuit.on('open', () => this.#opened(circuit))
    circuit.on('close', () => this.#closed(circuit))
    return circuit
  }

  #opened(circuit: Opossum<Action, void>): void {
    const { fires, failures } = circuit.stats
    circuit.shutdown()
    if (circuit !== this.#current) return
    const { slowMs, windowMs, openMs, maxOpenMs } = this.#limits
    this.#why = `${failures} of ${fires} calls within ${windowMs / 1_000} s failed or took over ${slowMs} ms`
    this.#current = undefined
    this.#openUntil = this.#now() + this.#openMs
    this.#events.opened(this.#why, this.#openMs)
    this.#openMs = Math.min(this.#openMs * 2, Math.max(openMs, maxOpenMs))
  }

  #closed(circuit: Opossum<Action, void>): void {
    if (circuit !== this.#current) return
    this.#openMs = this.#limits.openMs
    this.#events.closed()
  }

  #rotate(): void {
    const slice = this.#sliceOf(this.#now())
    for (let n = Math.min(slice - this.#slice, slices); n > 0; n--) this.#rotator.emit('rotate')
    this.#slice = slice
  }

  #sliceOf(now: number): number {
    return Math.floor((now / this.#limits.windowMs) * slices)
  }
}

async function verdictOf(running: Promise<unknown>, judge: Judge<unknown>): Promise<Verdict> {
  let value: unknown
  try {
    value = await running
  } catch (error) {
    return judge.error(error)
  }
  return judge.value(value)
}

/** At least 1 ms: who waits for less comes too early. */
const left = (until: number, now: number): number => Math.max(1, Math.ceil(until - now))
