import { setTimeout as delay } from 'node:timers/promises'
import { Client, NoAnswer } from '../client.ts'
import type { Findings } from '../findings.ts'
import type { Participant } from './participant.ts'

export const orderSource = '/chaos/backup-orders'
export const emittedSource = '/chaos/backup-done'

const definition = (participant: string, trigger?: object): object => ({
  participants: { shop: { url: participant, timeout: '5s', maxConcurrent: 200 } },
  ...(trigger && { trigger }),
  steps: [
    { id: 'charge', call: { participant: 'shop', path: '/charge', body: '${input}' } },
    { id: 'pause', wait: { for: '500ms' } },
    { id: 'ship', call: { participant: 'shop', path: '/ship', body: '${input}' }, pivot: true },
    { id: 'tell', emit: { type: 'backup.done', source: emittedSource, subject: '${input.order}' } },
  ],
})

interface Order {
  readonly order: string
  readonly by: 'request' | 'event'
  /** When it was answered with a 2xx, ms since the epoch. */
  ackedAt: number
  /** As answered, for one by request. */
  saga?: string
}

/** Sagas that are started all the time, one half over REST and the other by events, and what has to have come of them. */
export class Orders {
  readonly orders: Order[] = []
  readonly #client: Client
  readonly #findings: Findings
  #stopping = false
  #running: Promise<void> | undefined

  constructor(url: string, key: string, findings: Findings) {
    this.#client = new Client(url, key)
    this.#findings = findings
  }

  async publish(participant: Participant): Promise<void> {
    const trigger = { type: 'backup.order' }
    await this.#client.json('PUT', '/v1/saga-definitions/requested', definition(participant.url))
    await this.#client.json('PUT', '/v1/saga-definitions/triggered', definition(participant.url, trigger))
  }

  start(perSecond: number): void {
    this.#running = this.#run(1_000 / perSecond)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  /** Those that were answered before the instant of what started them. */
  ackedBefore(request: number, event: number): readonly Order[] {
    return this.orders.filter(({ by, ackedAt }) => ackedAt < (by === 'request' ? request : event))
  }

  /** With them all that an event started: it may be sent again, whatever the backup knows of it. */
  withEvents(orders: readonly Order[]): readonly Order[] {
    return this.orders.filter((order) => order.by === 'event' || orders.includes(order))
  }

  /** Asks for each of them again, as clients do that saw a server go away; with the same key, or as the same event. */
  async again(orders: readonly Order[]): Promise<void> {
    for (const order of orders) {
      const { saga } = order
      await this.#send(order)
      if (saga !== undefined && order.saga !== saga)
        this.#findings.add('one key, two sagas', `${order.order}: ${saga} and ${order.saga}`)
    }
  }

  /**
   * Each of them ended as it should: what its saga emitted is stored, once, and each of its calls came with one key in both lives;
   * also when the saga is another one now, as the backup did not know that its event had started one.
   */
  async verify(orders: readonly Order[], participant: Participant, withinMs: number): Promise<void> {
    let times = new Map<string, number>()
    for (const end = performance.now() + withinMs; performance.now() < end; await delay(250)) {
      times = await this.#emitted()
      if (orders.every(({ order }) => times.has(order))) break
    }
    for (const { order, by } of orders) {
      const stored = times.get(order) ?? 0
      if (stored !== 1) this.#findings.add('a saga did not end once', `${order} (${by}): ${stored} times`)
      for (const operation of ['charge', 'ship']) {
        const keys = participant.keysOf(order, operation)
        if (keys !== 1) this.#findings.add('a call had not one key', `${order} (${by}) ${operation}: ${keys}`)
      }
    }
  }

  close(): void {
    this.#client.close()
  }

  async #run(everyMs: number): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const order: Order = {
        order: `order-${n}`,
        by: n % 2 === 0 ? 'request' : 'event',
        ackedAt: Number.POSITIVE_INFINITY,
      }
      this.orders.push(order)
      await Promise.all([this.#send(order), delay(everyMs)])
    }
  }

  async #send(order: Order): Promise<void> {
    const { order: id, by } = order
    const event = { specversion: '1.0', id, source: orderSource, type: 'backup.order', data: { order: id } }
    const body = Buffer.from(JSON.stringify(by === 'event' ? event : { order: id }))
    const headers = { 'content-type': 'application/json', 'idempotency-key': `"${id}"` }
    const path = by === 'event' ? '/v1/events' : '/v1/sagas/requested'
    try {
      const answer = await this.#client.send('POST', path, { body, headers })
      if (answer.status !== 200 && answer.status !== 202) return
      order.ackedAt = Math.min(order.ackedAt, Date.now())
      if (by === 'request') order.saga = (JSON.parse(answer.text) as { id: string }).id
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  }

  async #emitted(): Promise<Map<string, number>> {
    const times = new Map<string, number>()
    const filter = `source=${encodeURIComponent(emittedSource)}&limit=10000`
    const { events } = await this.#client.json<{ events: { subject: string }[] }>('GET', `/v1/events?${filter}`)
    for (const { subject } of events) times.set(subject, (times.get(subject) ?? 0) + 1)
    return times
  }
}
