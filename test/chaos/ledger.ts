/** What the client knows of an event: the oracle of every run. */
export type Outcome = 'acked' | 'refused' | 'unknown'

/**
 * The client's own record: what it sent and what it was told. It lives in the process that is never killed. An event that
 * was acknowledged once stays acknowledged; `unknown` (no answer) may or may not be stored; `refused` must not be.
 */
export class Ledger {
  readonly #outcomes = new Map<string, { payload: string; outcome: Outcome }>()
  #last: string | undefined

  /** Before the request leaves: whatever happens from now on, the event may be stored. */
  sending(id: string, payload: string): void {
    if (!this.#outcomes.has(id)) this.#outcomes.set(id, { payload, outcome: 'unknown' })
  }

  settled(ids: readonly string[], outcome: 'acked' | 'refused', position?: string): void {
    for (const id of ids) {
      const entry = this.#outcomes.get(id)!
      // An unknown event that is refused later may have been taken the first time.
      if (outcome === 'acked') entry.outcome = 'acked'
    }
    if (position !== undefined) this.#last = position
  }

  /** A first and only try that was refused in so many words. */
  refused(ids: readonly string[]): void {
    for (const id of ids) this.#outcomes.get(id)!.outcome = 'refused'
  }

  /** A copy, as of now. */
  snapshot(): Map<string, { payload: string; outcome: Outcome }> {
    return new Map([...this.#outcomes].map(([id, entry]) => [id, { ...entry }]))
  }

  get lastPosition(): string | undefined {
    return this.#last
  }

  count(outcome: Outcome): number {
    let n = 0
    for (const entry of this.#outcomes.values()) if (entry.outcome === outcome) n++
    return n
  }
}
