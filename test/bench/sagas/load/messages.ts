/** Where sagas are started: a POST that answers 200 with `{"status":"completed"|"compensated"}` when the saga has ended. */
export interface Target {
  readonly url: string
  /** With the query. */
  readonly path: string
  /** More headers, such as a key. */
  readonly headers: Readonly<Record<string, string>>
}

/** A closed loop: each lane starts its next saga when its last one has ended. */
export interface Round {
  /** In the names of its orders and keys; each once for a target. */
  readonly name: string
  readonly inFlight: number
  readonly seconds: number
}

export interface RoundResult {
  readonly completed: number
  readonly compensated: number
  /** Of sagas that ended, by second. */
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/* What the bench asks the load generator. */
export type Question =
  /** → null */
  | { kind: 'connect'; target: Target; connections: number }
  /** → RoundResult */
  | { kind: 'round'; round: Round }
