import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Reply } from '../../../../modules/sagas/kit/participant/index.ts'
import type { Book } from './book.ts'
import type { Faults } from './faults.ts'
import type { Arrival, Fault } from './messages.ts'
import { type Operation, type Order, operations, undoneBy } from './operations.ts'
import type { Call, Participant } from './participant.ts'
import type { Striker } from './striker.ts'

/** What calls meet; replaced as a whole for each run. */
export interface Stage {
  readonly participant: Participant
  readonly faults: Faults
}

/**
 * The participants' HTTP: POST /{anything}/{operation}, and GET /{anything}/requests/{key} for lookups. Every call is noted
 * as it arrives, before anything can befall it.
 */
export class Server {
  readonly arrivals: Arrival[] = []
  readonly #http = createServer((request, response) => {
    this.#read(request, response).catch((error: unknown) => {
      this.wrong.push(`the ledger itself: ${error instanceof Error ? error.stack : String(error)}`)
      response.destroy()
    })
  })
  readonly wrong: string[] = []
  lookups = 0
  readonly #book: Book
  readonly #striker: Striker
  stage: Stage

  constructor(book: Book, striker: Striker, stage: Stage) {
    this.#book = book
    this.#striker = striker
    this.stage = stage
  }

  /** @returns its URL */
  async listen(): Promise<string> {
    this.#http.keepAliveTimeout = 300_000
    this.#http.listen(0, '127.0.0.1', 4_096)
    await once(this.#http, 'listening')
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async #read(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, , name = '', key = ''] = (request.url ?? '').split('/')
    if (request.method === 'GET' && name === 'look') return send(response, { status: 200, body: this.#book.look() })
    if (request.method === 'GET' && name === 'requests') {
      this.lookups++
      return send(response, this.stage.participant.lookUp(decodeURIComponent(key)))
    }
    const text = Buffer.concat(await request.toArray()).toString()
    const call = callOf(name as Operation, request, text)
    if (!call) {
      this.wrong.push(`a call without what it needs: ${request.method} ${request.url} ${text.slice(0, 200)}`)
      return send(response, { status: 400 })
    }
    this.arrivals.push(arrivalOf(call))
    await this.#handle(call, response)
  }

  async #handle(call: Call, response: ServerResponse): Promise<void> {
    const { participant, faults } = this.stage
    const strike = this.#striker.at(call)
    const fault = faults.draw(call)
    const kill = strike && (await this.#striker.aim(call))
    if (strike?.at === 'received') {
      kill?.()
      if (strike.lost) return void response.destroy()
    }
    if (fault?.kind === 'hang' && !fault.effect) return
    if (fault?.kind === 'reset' && !fault.effect) return reset(response)
    const reply = await participant.answer(call, fault)
    if (strike?.at === 'effected') kill?.()
    if (strike?.at === 'answered') response.once('finish', () => kill?.())
    answer(response, reply, fault)
  }
}

function answer(response: ServerResponse, reply: Reply, fault: Fault | undefined): void {
  if (fault?.kind === 'hang') return
  if (fault?.kind === 'reset') return reset(response)
  if (fault?.kind !== 'cut') return send(response, reply)
  response.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': 1_000 })
  response.write('{"half":', () => fault.stalls || reset(response))
}

const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy()

function send(response: ServerResponse, { status, headers = {}, body }: Reply): void {
  const text = body === undefined ? '' : JSON.stringify(body)
  response.writeHead(status, { ...headers, ...(text && { 'content-type': 'application/json' }) }).end(text)
}

function callOf(operation: Operation, { headers, method, url }: IncomingMessage, text: string): Call | undefined {
  const of = (name: string): string => String(headers[name] ?? '')
  const [saga, step, key] = [of('splitstream-saga'), of('splitstream-step'), of('idempotency-key')]
  const fence = Number(of('splitstream-fencing-token'))
  const timeoutMs = Number(/^(\d+)ms$/.exec(of('request-timeout'))?.[1])
  if (!operations.includes(operation) || !saga || !step || !key || !(fence > 0) || !(timeoutMs > 0)) return undefined
  const body = JSON.parse(text) as Order
  const undo = of('splitstream-operation') === 'undo'
  if (typeof body.order !== 'string' || undo !== undoneBy.has(operation)) return undefined
  const at = performance.now()
  const request = `${method} ${url} ${text}`
  const locked = body.lock !== undefined && { lock: Number(body.lock), item: body.item }
  const arrival = { saga, order: body.order, step, operation, undo, key, fence, at, ...locked }
  return { ...arrival, body, request, until: at + timeoutMs }
}

/** What is kept of a call. */
const arrivalOf = ({ body, request, until, ...arrival }: Call): Arrival => arrival
