/** How much work each figure does. */
export interface Plan {
  readonly quick: boolean
  /** Events of a rate. */
  readonly events: number
  /** Of figures 1 and 2: after fewer the engine alone owes more of its merges than the server does. */
  readonly sustainedEvents: number
  /** Events sent before the clock runs, so that code is compiled and connections are open. */
  readonly warmUpEvents: number
  /** Requests in flight in figure 1. */
  readonly inFlight: number
  /** Length of each window of figure 3 and of figure 4, s. */
  readonly singleSeconds: number
  readonly visibleSeconds: number
  /** Windows of each open loop of figure 3. */
  readonly singleWindows: number
  /** Calls of each round of figure 6, and rounds. */
  readonly portCalls: number
  readonly portRounds: number
  /** Rounds of figure 8, in each of which both servers have their turn. */
  readonly telemetryRounds: number
}

export const eventsPerBatch = 1_000

export function planOf(quick: boolean): Plan {
  const part = quick ? 5 : 1
  return {
    quick,
    events: 2_000_000 / part,
    sustainedEvents: 6_000_000 / part,
    warmUpEvents: 200_000 / part,
    inFlight: 12,
    singleSeconds: 10 / part,
    visibleSeconds: 20 / part,
    singleWindows: 3,
    portCalls: 2_000_000 / part,
    portRounds: 21,
    telemetryRounds: quick ? 3 : 7,
  }
}
