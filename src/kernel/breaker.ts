/**
 * What the end of a call says about the health of the dependency that it went to. `none`: nothing, for instance because its
 * caller gave up. A refusal that is the caller's fault is `good`: the dependency worked.
 */
export type Verdict = 'good' | 'bad' | 'none'

/** Who calls a dependency knows which ends of a call are its failures. */
export interface Judge<T> {
  value(value: T): Verdict
  error(error: unknown): Verdict
  /** Asked once the call has taken as long as is slow: `none` leaves it to the end of the call. Without it slow is `bad`. */
  slow?(): Verdict
  /** When this call is slow, ms, if that is not when others are. */
  readonly slowMs?: number
}

/** `half-open`: one call at a time is let through, to find out whether the dependency works again. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** A circuit breaker and a bulkhead around the calls to one dependency. It never cuts a call: deadlines are the caller's. */
export interface Breaker {
  /**
   * Runs `work` and hands on its result or error. It waits a moment for its turn when as many calls run as may;
   * `signal` ends this waiting, and nothing else. With `tenant` some of the turns are kept for other tenants.
   * @throws AppError UNAVAILABLE while the breaker is open, OVERLOADED when its turn does not come, both with `retryAfterMs`;
   * CANCELLED when `signal` is aborted first. `work` was then not called, so work that is to be told from a refusal by the
   * breaker must not reject with these itself.
   */
  run<T>(work: () => Promise<T>, judge: Judge<T>, signal?: AbortSignal, tenant?: string): Promise<T>
  state(): BreakerState
  /** Why a call would not be let through now; undefined when it would. */
  blocked(): string | undefined
  /** Until it lets a call through to find out, ms; 0 when it lets calls through. */
  opensFor(): number
}

/** The breakers of one kind of dependency, by name. Those that nobody used for a while are forgotten. */
export interface Breakers {
  /** Made at its first use. `maxConcurrent` calls run at once, from now on. */
  get(name: string, maxConcurrent: number): Breaker
  /** Makes none. */
  find(name: string): Breaker | undefined
}
