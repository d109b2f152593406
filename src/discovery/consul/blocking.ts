/*
 * A blocking query asks for what has changed since an index, and is answered when something has, or when its wait is over.
 * The rules are those of Consul's documentation ("Blocking Queries", implementation details):
 *
 *   0 (asks for what is there now) → n (waits for what comes after n) → the index of the answer
 *                                                                     → 0 when the index has gone backwards
 */

/** The index of the next query. `header` is that of X-Consul-Index; no index is at least 1, so that no query spins. */
export function nextIndex(index: number, header: string | null): number {
  const given = Number(header)
  const next = Number.isSafeInteger(given) && given >= 1 ? given : 1
  return next < index ? 0 : next
}

/** How long Consul holds the query, s, and how long we wait for it: it adds up to a sixteenth of its own. */
export const waitSeconds = 30
export const answerTimeoutMs = waitSeconds * 1_000 * (1 + 1 / 16) + 5_000

/** A few answers may come at once; where they keep coming, there is one query each second (a token bucket). */
export class QueryPace {
  readonly #burst = 3
  readonly #everyMs = 1_000
  #tokens = this.#burst
  #at = 0

  /** Takes the next query. @returns how long to wait before it, ms; `now` is monotonic, ms */
  next(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#everyMs) - 1
    this.#at = now
    return Math.max(0, -this.#tokens * this.#everyMs)
  }
}

/** Before a query after `failures` failed ones in a row, ms: 0.5 s, twice as long each time, at most 15 s, jittered. */
export function retryMs(failures: number, fraction: number): number {
  const most = Math.min(15_000, 500 * 2 ** Math.min(failures - 1, 10))
  return most / 2 + (fraction * most) / 2
}
