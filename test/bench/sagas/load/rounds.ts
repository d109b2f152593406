import { type Answer, Connection } from '../../connection.ts'
import { percentile } from '../../stats.ts'
import { expectedOutcome, type Order, type Outcome, orderOf } from '../order.ts'
import type { Round, RoundResult, Target } from './messages.ts'

/** Runs rounds against one target, over connections that stay open. */
export class Rounds {
  readonly #connections: readonly Connection[]
  readonly #head: string

  private constructor(connections: readonly Connection[], head: string) {
    this.#connections = connections
    this.#head = head
  }

  static async connect({ url, path, headers }: Target, connections: number): Promise<Rounds> {
    const lines = Object.entries({ 'content-type': 'application/json', ...headers }).map(([n, v]) => `${n}: ${v}\r\n`)
    const head = `POST ${path} HTTP/1.1\r\nhost: ${new URL(url).host}\r\n${lines.join('')}`
    return new Rounds(await Connection.openMany(url, connections), head)
  }

  /** @throws Error when a saga does not end, or ends otherwise than its order must. */
  async run({ name, inFlight, seconds }: Round): Promise<RoundResult> {
    const latencies: number[] = []
    const count: Record<Outcome, number> = { completed: 0, compensated: 0 }
    const from = performance.now()
    let started = 0
    const lane = async (connection: Connection): Promise<void> => {
      while (performance.now() - from < seconds * 1000) {
        const order = orderOf(name, started++)
        const request = this.#request(order)
        const sent = performance.now()
        const answer = await connection.send(request)
        latencies.push(performance.now() - sent)
        count[outcomeOf(answer, order)]++
      }
    }
    await Promise.all(this.#connections.slice(0, inFlight).map(lane))
    const rate = (latencies.length * 1000) / (performance.now() - from)
    return { ...count, rate, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) }
  }

  #request(order: Order): Buffer {
    const body = JSON.stringify(order)
    return Buffer.from(
      `${this.#head}idempotency-key: ${order.order}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      'latin1',
    )
  }
}

function outcomeOf({ status, text }: Answer, order: Order): Outcome {
  const expected = expectedOutcome(order)
  if (status !== 200 || !text.includes(`"status":"${expected}"`)) {
    throw new Error(`${order.order} should have been ${expected}: ${text}`)
  }
  return expected
}
