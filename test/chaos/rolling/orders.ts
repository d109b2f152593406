import { setTimeout as delay } from 'node:timers/promises'
import { orderDefinition } from '../../bench/sagas/engines/splitstream.ts'
import { expectedOutcome, type Order, orderOf } from '../../bench/sagas/order.ts'
import { Client, NoAnswer } from '../client.ts'
import type { Findings } from '../findings.ts'

const everyMs = 100
/** Starts a saga ten times a second, and waits for the end of each. Any answer but 200 or 202 is a finding. */
export class Orders {
  readonly ended = { completed: 0, compensated: 0 }
  started = 0
  readonly #o: { readonly url: string; readonly key: string; readonly findings: Findings }
  readonly #under = new Set<Promise<void>>()
  readonly #client: Client
  #over = false
  #loop: Promise<void> | undefined

  constructor(o: { readonly url: string; readonly key: string; readonly findings: Findings }) {
    this.#o = o
    this.#client = new Client(o.url, o.key)
  }

  async begin(participant: string): Promise<void> {
    await this.#client.json('PUT', '/v1/saga-definitions/order', orderDefinition(participant))
    this.#loop = this.#run()
  }

  /** Ends when the last saga that was started has ended. */
  async stop(): Promise<void> {
    this.#over = true
    await this.#loop
    await Promise.all(this.#under)
    this.#client.close()
  }

  async #run(): Promise<void> {
    for (; !this.#over; await delay(everyMs)) {
      const order = orderOf('rolling', this.started++)
      const one = this.#order(order).finally(() => this.#under.delete(one))
      this.#under.add(one)
    }
  }

  async #order(order: Order): Promise<void> {
    // Each on a connection of its own: an answer may take as long as the saga.
    const client = new Client(this.#o.url, this.#o.key)
    try {
      let answer = await client.send('POST', '/v1/sagas/order?wait=10', {
        body: Buffer.from(JSON.stringify(order)),
        headers: { 'content-type': 'application/json', 'idempotency-key': order.order },
      })
      for (let looks = 0; looks < 60; looks++) {
        if (answer.status !== 200 && answer.status !== 202 && answer.status !== 201) {
          this.#o.findings.add('a saga was answered otherwise', `${answer.status} ${answer.text.slice(0, 200)}`)
          return
        }
        const saga = JSON.parse(answer.text) as { id: string; status: string }
        if (saga.status === 'completed' || saga.status === 'compensated') {
          this.ended[saga.status]++
          if (saga.status !== expectedOutcome(order)) this.#o.findings.add('a saga ended otherwise', order.order)
          return
        }
        await delay(500)
        answer = await client.send('GET', `/v1/sagas/${saga.id}`)
      }
      this.#o.findings.add('a saga did not end within 30 s', order.order)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      this.#o.findings.add('a saga got no answer', error.message)
    } finally {
      client.close()
    }
  }
}
