import { type Clock, PlacedMap } from '@splitstream/kernel'
import type { SagaName, Standing } from '../adapters/saga-rows.ts'
import type { Entry } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { SagaState, SagaStatus } from '../domain/state.ts'
import { Waiter } from './waiter.ts'

/** How a saga stands that goes no further by itself. */
export interface End {
  readonly status: SagaStatus
  readonly problem: string | null
  /** Of a saga that is completed. */
  readonly output: Json
  /** ms since the epoch, by the database's clock. */
  readonly at: number
}

/**
 * Whether the saga has come to its end in a turn, or to where it needs attention. Of messages that came together one may have
 * ended it and a later one said more, or had it go on.
 */
export function hasStopped(entries: readonly Entry[], { status }: SagaState): boolean {
  return status !== 'running' && status !== 'compensating' && entries.some(({ e }) => e === 'end' || e === 'halt')
}

/**
 * Those who wait are looked at this often, ms, and the rows of their sagas if these are not in this process: so much later they
 * may hear of it, their time be over, or that they left be seen.
 */
const lookMs = 100

export interface EndsDeps {
  readonly clock: Clock
  /** In this process's memory: its turns are told. */
  runsHere(id: string): boolean
  /** How sagas stand, by id. */
  standings(sagas: readonly SagaName[]): Promise<ReadonlyMap<string, Standing>>
}

/**
 * Those who wait for news of a saga: for its end, for the moment in which it needs attention, or for its next turn. Of a saga
 * that runs in this process they are told at once. One that rests, or runs in another process, is looked at: its row's head
 * ten times a second, with those of all others that somebody waits for, in one statement.
 */
export class Ends {
  readonly #deps: EndsDeps
  /** By saga, each with those behind it. */
  readonly #waiting = new PlacedMap<Waiter>()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(deps: EndsDeps) {
    this.#deps = deps
  }

  /** The saga has come to its end, or needs attention; `end` is asked for only when somebody waits. */
  tell(id: string, end: () => End): void {
    const first = this.#waiting.get(id)
    if (!first) return
    const told = end()
    for (let one: Waiter | undefined = first; one; one = one.next) one.tell(told)
  }

  /** The saga has made a turn in this process. */
  tellTurn(id: string): void {
    for (let one = this.#waiting.get(id); one; one = one.next) one.tellTurn()
  }

  /**
   * To be called before what is waited for can happen, as it may happen sooner than the wait begins. Whoever listens cancels in
   * any case.
   */
  listen(tenant: string, id: string): Waiter {
    const waiter = new Waiter(this.#deps.clock, tenant, id, this.#waiting.get(id), (one) => this.#remove(one))
    this.#waiting.set(id, waiter)
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref()
    return waiter
  }

  #remove(gone: Waiter): void {
    const first = this.#waiting.get(gone.id)
    if (first === gone) {
      if (gone.next) this.#waiting.set(gone.id, gone.next)
      else this.#waiting.delete(gone.id)
      return
    }
    for (let one = first; one; one = one.next) if (one.next === gone) one.next = gone.next
  }

  /** One timer for all. And the signal of a call is made when it is asked for: most sagas end before that. */
  #look(): void {
    const now = this.#deps.clock.monotonic()
    const away: Waiter[] = []
    for (const first of this.#waiting.values()) {
      for (let one: Waiter | undefined = first; one; one = one.next) {
        if (!one.isOver(now) && one.waits && !this.#deps.runsHere(one.id)) away.push(one)
      }
    }
    if (away.length > 0 && !this.#looking) void this.#lookAt(away)
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #lookAt(away: readonly Waiter[]): Promise<void> {
    this.#looking = true
    // While Postgres does not answer there is no news.
    const standings = await this.#deps.standings(away).catch(() => undefined)
    this.#looking = false
    for (const one of away) one.see(standings?.get(one.id))
  }
}
