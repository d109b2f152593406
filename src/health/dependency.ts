import type { Clock, Health, Verdict } from '@splitstream/kernel'
import { DependencyState, leastCalls, type StateLimits } from './dependency-state.ts'
import type { Probe } from './probe.ts'
import { SlidingWindow } from './sliding-window.ts'

/** One row of GET /health. Figures are of the last 30 s. */
export interface DependencyView extends Health {
  readonly calls: number
  /** Part of the calls, 0 to 1. */
  readonly errorRate: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Events that each consumer group has not taken yet. */
  readonly lag?: Readonly<Record<string, number>>
}

export type Lags = ReadonlyMap<string, number> | Promise<ReadonlyMap<string, number>>

export interface DependencyOptions extends Partial<StateLimits> {
  readonly probe?: Probe
  readonly lags?: () => Lags
  /** Says how it is, in place of what its calls say. */
  readonly state?: () => Health
}

/** Tells what the end of a call says; `ms` is how long it took. */
export type JudgeError = (error: unknown, ms: number) => Verdict

const [windowSeconds, recentSeconds] = [30, 10]

/** What this process calls, and how that goes. A call costs one small object here, and no timer. */
export class Dependency {
  readonly name: string
  readonly #clock: Clock
  readonly #window = new SlidingWindow(windowSeconds)
  readonly #state: DependencyState
  readonly #o: DependencyOptions
  /** When each call under way began; the oldest first. */
  readonly #running = new Set<{ readonly from: number }>()
  #answeredAt = Number.NEGATIVE_INFINITY
  #lag: Readonly<Record<string, number>> | undefined
  #asking = false

  constructor(name: string, clock: Clock, o: DependencyOptions) {
    this.name = name
    this.#clock = clock
    this.#o = o
    this.#state = new DependencyState({
      slowMs: o.slowMs ?? Number.POSITIVE_INFINITY,
      hungMs: o.hungMs ?? Number.POSITIVE_INFINITY,
    })
  }

  /** Hands on what `work` gives, which is good unless `judgeValue` says otherwise, or throws. */
  async run<T>(work: () => Promise<T>, judge: JudgeError, judgeValue?: (value: T) => Verdict): Promise<T> {
    const call = { from: this.#clock.monotonic() }
    this.#running.add(call)
    try {
      const value = await work()
      this.#end(call, judgeValue?.(value) ?? 'good')
      return value
    } catch (error) {
      this.#end(call, judge(error, this.#clock.monotonic() - call.from))
      throw error
    }
  }

  /** A call that went another way than `run` has ended, after `ms`. What is not known while it is under way, `silentMs` knows not. */
  note(verdict: Verdict, ms: number): void {
    if (verdict === 'none') return
    const now = this.#clock.monotonic()
    this.#answeredAt = now
    this.#window.add(verdict === 'bad', ms, now)
  }

  /** For how long the oldest call that is under way has waited without any other being answered, ms; 0 without one. */
  silentMs(now: number): number {
    const [oldest] = this.#running
    return oldest ? Math.max(0, now - Math.max(oldest.from, this.#answeredAt)) : 0
  }

  look(now: number): Health {
    if (this.#o.state) return this.#o.state()
    const recent = this.#window.read(now, recentSeconds)
    const few = recent.count < leastCalls
    const signs = {
      calls: few ? this.#window.read(now) : recent,
      seconds: few ? windowSeconds : recentSeconds,
      silentMs: this.silentMs(now),
      probe: this.#o.probe?.trouble(now),
    }
    return this.#state.update(signs, now)
  }

  view(now: number): DependencyView {
    const { count, errors, p50, p99 } = this.#window.read(now)
    return {
      ...this.look(now),
      calls: count,
      errorRate: count === 0 ? 0 : rounded(errors / count),
      p50Ms: rounded(p50),
      p99Ms: rounded(p99),
      ...(this.#lag && { lag: this.#lag }),
    }
  }

  /** Asks anew how far consumers are behind. */
  refreshLag(): void {
    if (!this.#o.lags || this.#asking) return
    this.#asking = true
    void this.#readLag(this.#o.lags).finally(() => {
      this.#asking = false
    })
  }

  async #readLag(lags: () => Lags): Promise<void> {
    try {
      this.#lag = Object.fromEntries(await lags())
    } catch {
      this.#lag = undefined // nobody can say just now
    }
  }

  #end(call: { readonly from: number }, verdict: Verdict): void {
    this.#running.delete(call)
    this.note(verdict, this.#clock.monotonic() - call.from)
  }
}

const rounded = (value: number): number => Number(value.toPrecision(3))
