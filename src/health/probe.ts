import { type Clock, messageOf } from '@splitstream/kernel'

/** How long an answer may take, ms. */
const probeMs = 1_500
/** How often it has to fail in a row to be believed. */
const leastFailures = 2

/*
 * Asks a server whether it answers, every second or so, so that an outage is known where nobody calls it, and is told from trouble with
 * what it is asked for. One question is under way at a time; one without an answer within 1.5 s has failed.
 *
 *   answers → fails (once: not believed) → fails again: away → answers
 */
export class Probe {
  readonly #ask: (signal: AbortSignal) => Promise<unknown>
  readonly #name: string
  readonly #clock: Clock
  readonly #everyMs: number
  #asking = false
  #askedAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #failingSince = 0
  #why = ''
  /** Trouble that calls have met, and until when it counts. */
  #noted: { readonly why: string; readonly until: number } | undefined

  /**
   * @param name of the server, for people
   * @param ask rejects when it is not well. Ends by itself some time after its signal is aborted
   * @param everyMs asked no more often
   */
  constructor(name: string, clock: Clock, ask: (signal: AbortSignal) => Promise<unknown>, everyMs = 0) {
    this.#everyMs = everyMs
    this.#name = name
    this.#clock = clock
    this.#ask = ask
  }

  /** Asks, unless the question before is still under way, or a moment ago. */
  async tick(): Promise<void> {
    const from = this.#clock.monotonic()
    if (this.#asking || from - this.#askedAt < this.#everyMs) return
    this.#asking = true
    this.#askedAt = from
    try {
      await this.#question()
      this.#failures = 0
    } catch (error) {
      if (this.#failures === 0) this.#failingSince = from
      this.#failures++
      this.#why = messageOf(error)
    } finally {
      this.#asking = false
    }
  }

  /** It answers, and is not well all the same: for the next `ms` that counts as being away. */
  note(why: string, ms: number): void {
    this.#noted = { why, until: this.#clock.monotonic() + ms }
  }

  /** For how long it has not answered, ms; 0 when it does. */
  failingMs(now: number): number {
    return this.#failures >= leastFailures ? now - this.#failingSince : 0
  }

  /** Why it is not well, if it is not. */
  trouble(now: number): string | undefined {
    if (this.#failures >= leastFailures) return `${this.#name} does not answer: ${this.#why}`
    return this.#noted && now < this.#noted.until ? `${this.#name}: ${this.#noted.why}` : undefined
  }

  async #question(): Promise<void> {
    const late = new AbortController()
    const answered = new AbortController()
    const answer = this.#ask(late.signal).finally(() => answered.abort())
    answer.catch(() => undefined) // one that comes too late is nobody's any more
    const timeout = this.#clock.sleep(probeMs, answered.signal).then(
      () => {
        late.abort()
        throw new Error(`nothing within ${probeMs} ms`)
      },
      () => answer,
    )
    await timeout
  }
}
