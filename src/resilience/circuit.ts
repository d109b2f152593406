import { EventEmitter } from 'node:events'
import { AppError, type BreakerState, type Judge, type Verdict } from '@splitstream/kernel'
import Opossum from 'opossum'
import { CallRate, type RateLimits } from './call-rate.ts'

export interface CircuitLimits extends RateLimits {
  /** A call is slow once it has taken so long, ms. It goes on. */
  readonly slowMs: number
  /** More than this part of the calls of late has to be bad before it opens, percent. */
  readonly badPercent: number
  /** How long it stays open at first, ms. Each probe that fails doubles it, up to `maxOpenMs`. */
  readonly openMs: number
  readonly maxOpenMs: number
}

export interface CircuitEvents {
  opened(why: string, forMs: number): void
  closed(): void
}

type Action = [verdict: Promise<Verdict>]
type Options = Opossum.Options<Action> & { state?: { closed: boolean; halfOpen: boolean } }

/** Between two looks at a call that is slow without that counting, ms. */
const lookAgainMs = 250
/** Rejects what opossum makes of a bad call; nobody sees it. */
const bad = new Error('bad')
const nothing = (): void => {}

/*
 * Opossum's state machine, one instance for each period that is not open:
 *
 *   closed ──too many bad──▶ open ──time──▶ half-open ──good──▶ closed
 *                             ▲                 │
 *                             └──────bad────────┘
 *
 * An instance that has opened is thrown away, and the next one begins half-open. So what opossum gets wrong cannot happen:
 * calls from before the opening end as if they were the probe, a probe that never ends keeps it half-open for ever. Nor does
 * opossum see calls while it is open (it counts them), time them (a call that a stall of this very process kept from ending
 * would be slow), cut them (its one AbortController is for all calls) or limit them (it counts those too many as failures).
 * What opens it is our own count (call-rate.ts): opossum's is by the beginnings of calls within a fixed time, so that it
 * sees a dependency stall the later the more calls there were before.
 */
export class Circuit {
  readonly #limits: CircuitLimits
  readonly #events: CircuitEvents
  readonly #now: () => number
  /** None while open. */
  #current: Opossum<Action, void> | undefined
  readonly #rate: CallRate
  #openUntil = 0
  #openMs: number
  #why = ''
  #probedAt = 0
  /** Of the latest call. */
  #slowMs: number

  /** @param now monotonic, ms */
  constructor(limits: CircuitLimits, events: CircuitEvents, now: () => number) {
    this.#limits = limits
    this.#events = events
    this.#now = now
    this.#openMs = limits.openMs
    this.#rate = new CallRate(limits, now)
    this.#slowMs = limits.slowMs
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
    if (current) return { why: `${this.#why}; a call finds out`, afterMs: left(this.#probedAt + this.#slowMs, now) }
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

  /**
   * Takes note of a call that `admit` let through just now.
   * @returns to be called with what its end says. When it returns a promise, what that leads to is so once this is resolved; it
   * never rejects.
   */
  watch(judge: Judge<never>): (verdict: Verdict) => Promise<void> | undefined {
    const circuit = this.#current
    const slowMs = judge.slowMs ?? this.#limits.slowMs
    this.#slowMs = slowMs
    if (circuit?.closed) {
      const end = firstVerdict(judge, slowMs, (verdict) => {
        if (circuit === this.#current && verdict !== 'none') this.#count(circuit, verdict === 'bad')
      })
      return (verdict) => void end(verdict)
    }
    this.#probedAt = this.#now()
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    const noted = circuit?.fire(promise).catch(nothing)
    const end = firstVerdict(judge, slowMs, resolve)
    return (verdict) => {
      end(verdict)
      return noted
    }
  }

  #make(halfOpen: boolean): Opossum<Action, void> {
    const options: Options = {
      timeout: false,
      // It sees probes alone, so its counts need no timers.
      rollingCountBuckets: 1,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: new EventEmitter(),
      ...(halfOpen ? { state: { closed: false, halfOpen: true } } : {}),
    }
    const circuit: Opossum<Action, void> = new Opossum(async (given) => {
      const verdict = await given
      if (verdict === 'bad') throw bad
      // A probe that says nothing: somebody else finds out.
      if (verdict === 'none' && circuit === this.#current) this.#current = this.#make(true)
    }, options)
    circuit.on('open', () => this.#opened(circuit))
    circuit.on('close', () => this.#closed(circuit))
    return circuit
  }

  #count(circuit: Opossum<Action, void>, bad: boolean): void {
    this.#rate.add(bad)
    const rate = bad ? this.#rate.read() : undefined
    if (!rate || rate.bad <= (rate.calls * this.#limits.badPercent) / 100) return
    this.#why = `${rate.bad} of the last ${rate.calls} calls failed or took over ${this.#slowMs} ms`
    circuit.open()
  }

  #opened(circuit: Opossum<Action, void>): void {
    circuit.shutdown()
    if (circuit !== this.#current) return
    const { openMs, maxOpenMs } = this.#limits
    this.#rate.clear()
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
}

/**
 * Hands on one verdict: as soon as the call is slow and that counts, or it ends.
 * @returns to be called when it ends
 */
function firstVerdict(judge: Judge<never>, slowMs: number, decide: (verdict: Verdict) => void) {
  let over = false
  const first = (verdict: Verdict): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    decide(verdict)
  }
  const isSlow = (): void => {
    if (over) return
    const verdict = judge.slow?.() ?? 'bad'
    if (verdict !== 'none') first(verdict)
    // It may come to count while the call goes on.
    else timer = setTimeout(look, lookAgainMs)
  }
  // After what has arrived meanwhile: when this process stood still, the answer may be there.
  const look = (): void => void setImmediate(isSlow)
  let timer = setTimeout(look, Math.min(slowMs, maxTimerMs))
  return first
}

/** A timer for longer would fire at once, ms. */
const maxTimerMs = 2 ** 31 - 1

/** At least 1 ms: who waits for less comes too early. */
const left = (until: number, now: number): number => Math.max(1, Math.ceil(until - now))
