import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation, Order } from '../order.ts'
import { type Answer, Keys } from './keys.ts'
import { type Audit, Ledger } from './ledger.ts'
import type { Misbehaviours } from './messages.ts'

const noKey: Answer = { status: 400, body: '{"code":"KEY_MISSING"}' }
const notFound: Answer = { status: 404, body: '{"code":"NOT_FOUND"}' }
const operations: ReadonlySet<string> = new Set<Operation>(['charge', 'reserve', 'ship', 'release', 'refund'])

/** POST /{operation} with an Idempotency-Key. Everything stays in memory: it lives for one pass of the bench. */
export class Participant {
  readonly #keys = new Keys()
  readonly #ledger = new Ledger()
  readonly #server = createServer((request, response) => this.#read(request, response))
  how: Misbehaviours = {}

  /** @returns its URL */
  async listen(): Promise<string> {
    // Longer than any pause of the bench: an engine's idle connection is never closed under its next request.
    this.#server.keepAliveTimeout = 300_000
    this.#server.listen(0, '127.0.0.1', 4_096)
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  audit(): Audit {
    return this.#ledger.audit(this.#keys.replays)
  }

  #read(request: IncomingMessage, response: ServerResponse): void {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => this.#handle(request, body, response))
  }

  #handle({ url = '', headers }: IncomingMessage, body: string, response: ServerResponse): void {
    const operation = url.slice(1)
    const key = headers['idempotency-key']
    if (!operations.has(operation)) return send(response, notFound)
    if (typeof key !== 'string') return send(response, noKey)
    const known = this.#keys.claim(key, url + body)
    if (known) return send(response, known)
    this.#carryOut(operation as Operation, key, JSON.parse(body) as Order, response)
  }

  #carryOut(operation: Operation, key: string, order: Order, response: ServerResponse): void {
    const how = this.how[operation]
    if (how?.status !== undefined) {
      this.#keys.forget(key)
      return send(response, { status: how.status, body: '{"code":"OUT_OF_ORDER"}' })
    }
    const finish = (): void => {
      const answer = this.#ledger.apply(operation, order)
      this.#keys.settle(key, answer)
      if (!how?.hangs) send(response, answer)
    }
    if (how?.delayMs) void sleep(how.delayMs).then(finish)
    else finish()
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}
