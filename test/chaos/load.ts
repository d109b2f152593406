import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Client, NoAnswer } from './client.ts'
import { type Batch, batchSize, makeBatch, makeEvent, type SentEvent, subjectsPerSender } from './events.ts'
import type { Ledger, Outcome } from './ledger.ts'
import type { Random } from './random.ts'

export interface Tenant {
  readonly name: string
  readonly key: string
}

export interface LoadOptions {
  readonly url: string
  readonly tenants: readonly Tenant[]
  readonly source: string
  readonly ledger: Ledger
  readonly random: Random
  /** Offered, over all senders. */
  readonly eventsPerSecond: number
  readonly senders: number
  /** Events of a batch; default: from 1 to 1,000, as many small ones as large ones. */
  readonly batchSize?: (random: Random) => number
}

/** How far a sender may fall behind its schedule before arrivals are dropped, ms: an outage is not made up for. */
const maxBehindMs = 1_000

/**
 * Senders with a connection each, open loop: events fall due at a fixed rate whatever the server does. A sender owns its
 * subjects and has one batch under way at a time, which it sends until it is acknowledged or given up, so that the order
 * of `n` within a subject is the order in which the server has to keep the events. Beside that, batches that were
 * acknowledged or whose outcome is unknown are sent again on another connection at the same time.
 */
export class Load {
  readonly statuses = new Map<string, number>()
  /** Told of every answer; for checks of status codes. */
  onAnswer: ((answer: Answer, batch: Batch) => void) | undefined
  readonly #o: LoadOptions
  readonly #next: number[]
  readonly #again: Client[]
  readonly #random: Random
  readonly #senders: Promise<void>[]
  readonly #repeats = new Set<Promise<void>>()
  #stopping = false
  #giveUpAt = Number.POSITIVE_INFINITY

  constructor(o: LoadOptions) {
    this.#o = o
    this.#next = Array.from({ length: o.senders }, () => 0)
    this.#random = o.random.fork()
    this.#again = o.tenants.map((tenant) => new Client(o.url, tenant.key))
    this.#senders = this.#next.map((_, sender) => this.#run(sender, o.random.fork()))
  }

  /** Ends the load; batches under way are tried until the grace ends. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true
    this.#giveUpAt = performance.now() + graceMs
    await Promise.all(this.#senders)
    await Promise.all(this.#repeats)
    for (const client of this.#again) client.close()
  }

  /**
   * One more event for every subject of every tenant, acknowledged: what storage confirmed up to here is all that there
   * is, since a subject's events are stored in order. Returns the position of each tenant's.
   */
  async mark(deadlineMs = 60_000): Promise<{ tenant: Tenant; position: string }[]> {
    this.#giveUpAt = performance.now() + deadlineMs
    const marks: { tenant: Tenant; position: string }[] = []
    for (const [t, tenant] of this.#o.tenants.entries()) {
      const events: SentEvent[] = []
      for (let sender = t; sender < this.#next.length; sender += this.#o.tenants.length) {
        for (let i = 0; i < subjectsPerSender; i++) events.push(this.#event(this.#random, sender, false))
      }
      const client = new Client(this.#o.url, tenant.key)
      const batch = makeBatch(this.#random, tenant.name, t, events)
      const position = await this.#placed(client, batch)
      client.close()
      if (!position) throw new Error(`no event of ${tenant.name} got a place within ${deadlineMs} ms after the faults`)
      marks.push({ tenant, position })
    }
    return marks
  }

  /** Delivers a batch, again and again while it waits for Kafka and has no position yet; undefined when it never gets one. */
  async #placed(client: Client, batch: Batch): Promise<string | undefined> {
    for (;;) {
      const answer = await this.#deliver(client, batch, 1)
      if (!answer) return undefined
      const { position } = JSON.parse(answer.text) as { position: string | null }
      if (position !== null) return position
      await delay(100)
    }
  }

  async #run(sender: number, random: Random): Promise<void> {
    const { tenants, eventsPerSecond, senders, url } = this.#o
    const tenant = tenants[sender % tenants.length]!
    const client = new Client(url, tenant.key)
    let due = performance.now()
    while (!this.#stopping) {
      const size = (this.#o.batchSize ?? batchSize)(random)
      due = Math.max(due, performance.now() - maxBehindMs) + (size * 1000 * senders) / eventsPerSecond
      await delay(Math.max(0, due - performance.now()))
      const events = Array.from({ length: size }, () => this.#event(random, sender, true))
      const batch = makeBatch(random, tenant.name, sender, events)
      const answer = await this.#deliver(client, batch, 0.5)
      if (answer && random.chance(0.06)) this.#repeat(batch, random.int(0, 1500))
    }
    client.close()
  }

  #event(random: Random, sender: number, mayBeBad: boolean): SentEvent {
    for (;;) {
      const n = this.#next[sender]!
      const event = makeEvent(random, this.#o.source, sender, n)
      if (event.bad && !mayBeBad) continue
      this.#next[sender] = n + 1
      return event
    }
  }

  /** A retry of what was acknowledged, as a client does that lost the answer. */
  #repeat(batch: Batch, afterMs: number): void {
    if (this.#repeats.size >= 20) return
    const run = delay(afterMs)
      .then(() => this.#attempt(this.#again[batch.sender % this.#again.length]!, batch))
      .then(() => undefined)
      .finally(() => this.#repeats.delete(run))
    this.#repeats.add(run)
  }

  /** Sends until acknowledged. An unknown outcome is tried again with this probability, and otherwise left alone. */
  async #deliver(client: Client, batch: Batch, retryUnknown: number): Promise<Answer | undefined> {
    while (performance.now() < this.#giveUpAt) {
      const result = await this.#attempt(client, batch)
      if (result === 'refused') return undefined
      if (typeof result === 'object') return result
      // A request that timed out may still be carried out: only sending it again keeps the subject's order known.
      if (result === 'unknown' && !this.#random.chance(retryUnknown)) return undefined
      await delay(result === 'later' ? 100 : 30)
    }
    return undefined
  }

  async #attempt(
    client: Client,
    batch: Batch,
  ): Promise<Answer | 'unsent' | 'unknown' | 'timeout' | 'later' | 'refused'> {
    const { ledger } = this.#o
    ledger.begin(batch)
    try {
      const answer = await client.post(batch)
      this.#count(String(answer.status))
      this.onAnswer?.(answer, batch)
      const outcome = outcomeOf(answer)
      await ledger.end(batch, outcome)
      if (outcome.kind === 'acked') return answer
      if (outcome.kind === 'unknown') return 'unknown'
      return [429, 503, 507].includes(answer.status) ? 'later' : 'refused'
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      this.#count(error.kind)
      await ledger.end(batch, { kind: error.kind === 'unsent' ? 'refused' : 'unknown' })
      return error.kind
    }
  }

  #count(what: string): void {
    this.statuses.set(what, (this.statuses.get(what) ?? 0) + 1)
  }
}

/** 422 is the right answer to a batch in which every event is bad. */
export const isRightlyRefused = (answer: Answer, batch: Batch): boolean =>
  answer.status === 422 && batch.events.every((event) => event.bad)

/** What an answer says about the batch. Only these codes promise that nothing was kept. */
function outcomeOf(answer: Answer): Outcome {
  if (answer.status === 200 || answer.status === 202) {
    const { errors } = JSON.parse(answer.text) as { errors: { index: number }[] }
    return { kind: 'acked', refused: new Set(errors.map((e) => e.index)) }
  }
  if ((answer.status >= 400 && answer.status < 500) || answer.status === 507) return { kind: 'refused' }
  if (answer.status === 503 && answer.text.includes('"OVERLOADED"')) return { kind: 'refused' }
  return { kind: 'unknown' }
}
