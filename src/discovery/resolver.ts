/** One running copy of what serves a port. A resolver gives the same object as long as it is the same copy. */
export interface Instance {
  /** Scheme, host and port, such as http://storage:8080 */
  readonly origin: string
  /** What its certificate has to be for, over TLS; the host of the origin when absent. */
  readonly name?: string
}

/**
 * How a try ended: answered (also with an error of the contract) · failed (an internal error) · refused (it takes no calls
 * now) · unreachable (no connection) · lost (the connection broke before the answer was whole) · late (the budget ended).
 */
export type Outcome = 'answered' | 'failed' | 'refused' | 'unreachable' | 'lost' | 'late'

/** Knows where the instances of a service are, and learns from its callers how they do. */
export interface Resolver {
  /**
   * Those to be called now; empty when none is known. One that is to get more calls than others stands there several times.
   * Asked once for each try, and cheap: the list may be meant for that try alone, when one that was left out is tried again.
   */
  current(): readonly Instance[]
  /** A try on an instance ended, after `ms`. Never throws. */
  report(instance: Instance, outcome: Outcome, ms: number): void
}
