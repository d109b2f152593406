import {
  AppError,
  type Breaker,
  type Call,
  type Clock,
  codeOf,
  type ErrorCode,
  type Judge,
  messageOf,
  whyAborted,
  withSignal,
} from '@splitstream/kernel'
import { Pulse } from './pulse.ts'

export interface GuardOptions {
  /** For people. */
  readonly name: string
  readonly breaker: Breaker
  readonly clock: Clock
  /** Asks the dependency something that costs next to nothing; within a second it has ended, one way or the other. */
  readonly ask: () => Promise<unknown>
  /** A call that is slow while the dependency is sick is ended. Only where it can do no harm: for reads. */
  readonly cuts?: boolean
  /** Only failures count. For what runs on this machine: when that is busy, an answer that takes long is better than none. */
  readonly patient?: boolean
}

/** While a call runs, the pulse is felt so often: early enough to know when the call is slow, ms. */
const feelEveryMs = 100
const retryAfterMs = 1_000

/**
 * Calls of one dependency behind a breaker, where calls may be heavy: a slow one counts as bad only when the dependency is
 * slow to answer next to nothing as well (pulse.ts). So does one that runs out of time. What finds out whether the
 * dependency is back is the pulse too, and never a caller's heavy call.
 */
export class Guard {
  readonly #o: GuardOptions
  readonly #pulse: Pulse

  constructor(o: GuardOptions) {
    this.#o = o
    this.#pulse = new Pulse(o.ask, o.clock)
  }

  /**
   * @param judge says how a call ended; without it errors of the catalogue say so
   * @throws AppError UNAVAILABLE or OVERLOADED with `retryAfterMs` when `work` was not called, or was cut; and what it throws
   */
  async run<T>(call: Call, work: (call: Call) => Promise<T>, judge: Judge<T> = ofErrors): Promise<T> {
    const { breaker, cuts } = this.#o
    if (breaker.state() === 'half-open') await this.#probe(call)
    const cut = new AbortController()
    const within = cuts ? withSignal(call, AbortSignal.any([call.signal, cut.signal])) : call
    let timer: NodeJS.Timeout | undefined
    const begin = (): Promise<T> => {
      timer = setInterval(this.#pulse.feel, feelEveryMs)
      return work(within)
    }
    try {
      return await breaker.run(begin, this.#judge(judge, cut), call.signal, call.tenant)
    } catch (error) {
      if (!timer) throw this.#refused(call, error)
      if (cut.signal.aborted && !call.signal.aborted) throw this.#tooSlow(error)
      throw error
    } finally {
      clearInterval(timer)
    }
  }

  #judge<T>(judge: Judge<T>, cut: AbortController): Judge<T> {
    return {
      value: judge.value,
      error: (error) => {
        if (codeOf(error) === 'DEADLINE_EXCEEDED') return this.#sick ? 'bad' : 'none'
        return judge.error(error)
      },
      slow: () => {
        if (!this.#sick) return 'none'
        cut.abort()
        return 'bad'
      },
    }
  }

  get #sick(): boolean {
    return !this.#o.patient && this.#pulse.sick
  }

  async #probe(call: Call): Promise<void> {
    try {
      await this.#o.breaker.run(() => this.#pulse.take(), ofProbe, call.signal)
    } catch (error) {
      throw this.#refused(call, error)
    }
  }

  /** Whoever asked does not know who is called. */
  #refused({ signal }: Call, cause: unknown): AppError {
    if (signal.aborted) return whyAborted(signal, cause)
    const { name, breaker } = this.#o
    const known = cause instanceof AppError ? cause : undefined
    const code = known?.code === 'OVERLOADED' ? known.code : 'UNAVAILABLE'
    const after = breaker.opensFor() || (known?.retryAfterMs ?? retryAfterMs)
    return new AppError(code, `${name}: ${breaker.blocked() ?? messageOf(cause)}`, { cause, retryAfterMs: after })
  }

  #tooSlow(cause: unknown): AppError {
    const after = this.#o.breaker.opensFor() || retryAfterMs
    return new AppError('UNAVAILABLE', `${this.#o.name} takes too long to answer`, { cause, retryAfterMs: after })
  }
}

/** Ends that are the dependency's fault. All others are refusals of the call itself, which is what a healthy one does. */
const faults: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'UNKNOWN_OUTCOME', 'OVERLOADED', 'STOPPING'])
/** Ends that say nothing: the caller left, or never came as far. */
const silent: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'REQUEST_INVALID', 'NOT_YET_STORED'])

const ofErrors: Judge<unknown> = {
  value: () => 'good',
  error: (error) => {
    const code = codeOf(error)
    return faults.has(code) ? 'bad' : silent.has(code) ? 'none' : 'good'
  },
}

const ofProbe: Judge<unknown> = { value: () => 'good', error: () => 'bad' }
