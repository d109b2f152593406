import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { Catalog, milliseconds, type Registered } from './catalog.fixture.ts'

/** What an answer to a health query may be turned into. */
export interface Answer {
  status?: number
  body?: string
  headers?: Record<string, string>
}

/**
 * The requests of Consul's HTTP API that the product makes, answered as Consul 1.14 answers them and strict about
 * everything it refuses: with blocking queries by index and HTTP checks. The suite that runs against it runs against
 * a real Consul too. It can do what a test cannot make a real one do.
 */
export class ProtocolAgent {
  readonly catalog = new Catalog()
  /** Query of each health request so far. */
  readonly queries: Record<string, string>[] = []
  /** Token of each request so far. */
  readonly tokens: (string | undefined)[] = []
  /** Put over the answers to health queries. */
  override: Answer = {}
  #server: Server = createServer()
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** With that all that was registered is forgotten. */
  async kill(): Promise<void> {
    this.catalog.clear()
    this.catalog.index = 10
    this.#server.closeAllConnections()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  stop(): Promise<void> {
    return this.kill()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = request.headers['x-consul-token']
    this.tokens.push(typeof token === 'string' ? token : undefined)
    const { pathname, searchParams } = new URL(request.url!, this.url)
    const [, , kind, noun, ...rest] = pathname.split('/').map(decodeURIComponent)
    const what = kind === 'health' ? `health ${noun}` : `${kind} ${[noun, ...rest.slice(0, -1)].join(' ')}`
    const name = rest.at(-1) ?? ''
    try {
      if (what === 'health service')
        return await this.#health(request, response, name, Object.fromEntries(searchParams))
      if (what === 'status leader' && request.method === 'GET') return void response.end('"127.0.0.1:8300"')
      const refusal = await this.#change(request, what, name)
      response.writeHead(refusal?.[0] ?? 200).end(refusal?.[1])
    } catch (error) {
      response.writeHead(400).end(String(error))
    }
  }

  async #health(request: IncomingMessage, response: ServerResponse, name: string, query: Record<string, string>) {
    this.queries.push(query)
    const { passing, index = '0', wait = '300s', ...unknown } = query
    const waitMs = milliseconds(wait)
    if (
      request.method !== 'GET' ||
      passing !== 'true' ||
      !/^\d+$/.test(index) ||
      !waitMs ||
      Object.keys(unknown).length
    ) {
      return void response.writeHead(400).end('bad query')
    }
    const over = AbortSignal.any([AbortSignal.timeout(waitMs), closed(response)])
    while (Number(index) >= this.catalog.index && Number(index) > 0 && !over.aborted && !this.override.status) {
      await Promise.race([this.catalog.changed(), delay(waitMs, undefined, { signal: over }).catch(() => {})])
    }
    const { status = 200, body = JSON.stringify(this.catalog.passing(name)), headers } = this.override
    const common = { 'content-type': 'application/json', 'x-consul-index': String(this.catalog.index) }
    response.writeHead(status, { ...common, ...headers }).end(body)
  }

  /** @returns status and text of what is refused */
  async #change(request: IncomingMessage, what: string, name: string): Promise<[number, string] | undefined> {
    if (what === 'agent service' && name !== 'register') {
      if (request.method !== 'GET') return [405, `method ${request.method} not allowed`]
      return this.catalog.has(name) ? undefined : [404, `unknown service ID: ${name}`]
    }
    if (request.method !== 'PUT') return [405, `method ${request.method} not allowed`]
    switch (what) {
      case 'agent service':
        this.catalog.register(readRegistration(await json(request)))
        return
      case 'agent service deregister':
        return this.catalog.deregister(name) ? undefined : [404, `Unknown service ID "${name}"`]
      default:
        return [404, 'no such endpoint']
    }
  }
}

function closed(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  return gone.signal
}

const [serviceFields, checkFields] = [
  ['Name', 'ID', 'Address', 'Port', 'Check'],
  ['CheckID', 'DeregisterCriticalServiceAfter', 'HTTP', 'Interval', 'Timeout'],
]

/** @throws Error for what Consul refuses, or takes without doing what was meant */
function readRegistration(body: unknown): Registered {
  const service = body as Registered
  const unknown = [
    ...Object.keys(service).filter((field) => !serviceFields!.includes(field)),
    ...Object.keys(service.Check).filter((field) => !checkFields!.includes(field)),
  ]
  if (unknown.length > 0) throw new Error(`Request decode failed: json: unknown field "${unknown[0]}"`)
  const { Name, ID, Port, Check } = service
  if (!Name || !ID || !(Port > 0)) throw new Error('Missing service name, id or port')
  const times = [Check.Interval, Check.Timeout, Check.DeregisterCriticalServiceAfter].map((text) =>
    milliseconds(text ?? ''),
  )
  if (times.includes(undefined)) throw new Error('Request decode failed: time: unknown unit')
  if (!Check.HTTP) throw new Error('Invalid check: TTL, HTTP or another is needed')
  if (times[2]! < 60_000) throw new Error('Consul rounds this up to a minute')
  return service
}
