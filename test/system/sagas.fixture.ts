import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { orderSaga, type StubOptions, type StubParticipants, startStubParticipants } from '@splitstream/sagas/kit/demo'
import { type RunningServer, type ServerOptions, startServer } from '../support/server.ts'

export interface Asked {
  readonly key?: string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  readonly json: T
  readonly code: string | undefined
}

/** A server, and the participants that its sagas call. */
export class SagaWorld {
  readonly stubs: StubParticipants
  server: RunningServer
  readonly #options: ServerOptions

  private constructor(stubs: StubParticipants, server: RunningServer, options: ServerOptions) {
    this.stubs = stubs
    this.server = server
    this.#options = options
  }

  static async start(stub: StubOptions = {}, options: ServerOptions = {}): Promise<SagaWorld> {
    const stubs = await startStubParticipants({ onError: () => undefined, ...stub })
    const env = { SAGA_ALLOW_PRIVATE: '127.0.0.1', LOG_LEVEL: 'warn', STORAGE_LINGER_MS: '0', ...options.env }
    const all = { ...options, env }
    return new SagaWorld(stubs, await startServer(all), all)
  }

  async close(): Promise<void> {
    await this.server.stop()
    await this.stubs.close()
  }

  /** Needs a dataDir of its own, and an ADMIN_KEY. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    this.server.kill(signal)
    await this.server.exited
    await this.server.stop()
    this.server = await startServer(this.#options)
  }

  async api<T = Record<string, unknown>>(method: string, path: string, asked: Asked = {}): Promise<Answer<T>> {
    const { key = this.server.adminKey, body, headers, signal } = asked
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(this.server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(text !== undefined && { body: text }),
      ...(signal && { signal }),
    })
    const answered = await response.text()
    const json = (answered === '' ? undefined : JSON.parse(answered)) as T
    const code = (json as { code?: string } | undefined)?.code
    return { status: response.status, headers: response.headers, json, code }
  }

  /** A key of its own for a tenant. */
  async key(tenant: string, scopes: readonly string[] = ['sagas']): Promise<string> {
    const { json } = await this.api<{ key: string }>('POST', '/v1/keys', { body: { name: 'test', tenant, scopes } })
    return json.key
  }

  /** Publishes a definition; that of the demo when none is given. */
  async publish(name: string, definition: object = orderSaga(this.stubs), key?: string): Promise<void> {
    const { status, json } = await this.api('PUT', `/v1/saga-definitions/${name}`, { key, body: definition })
    if (status !== 200 && status !== 201) throw new Error(`not published: ${JSON.stringify(json)}`)
  }

  /** Starts a saga under a new key. @returns its id */
  async begin(name: string, input: object = {}, key?: string): Promise<string> {
    const headers = { 'idempotency-key': randomUUID() }
    const { status, json } = await this.api<{ id: string }>('POST', `/v1/sagas/${name}`, { key, body: input, headers })
    if (status !== 202) throw new Error(`not started: ${status} ${JSON.stringify(json)}`)
    return json.id
  }

  async saga(id: string, key?: string): Promise<Detail> {
    return (await this.api<Detail>('GET', `/v1/sagas/${id}`, { key })).json
  }

  /** The saga, once it is as wanted. */
  async until(id: string, wanted: (saga: Detail) => boolean): Promise<Detail> {
    const deadline = performance.now() + 30_000
    for (;;) {
      const saga = await this.saga(id)
      if (wanted(saga)) return saga
      if (performance.now() > deadline) throw new Error(`still not as wanted: ${JSON.stringify(saga, null, 1)}`)
      await delay(20)
    }
  }
}

export interface Waiting {
  readonly for: string
  readonly step: string | null
  readonly undo: boolean
  readonly since: string
  readonly until: string | null
  readonly detail: string
  readonly blocked?: string
  readonly lock?: { key: string; holder: { saga: string; since: string } | null }
  readonly child?: { id: string; status: string | null }
  readonly event?: { type: string; match: Record<string, unknown> }
  readonly actions?: string[]
}

export interface Detail {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly problem: string | null
  readonly input: unknown
  readonly output: unknown
  readonly steps: readonly {
    readonly id: string
    readonly kind: string
    readonly status: string
    readonly attempts: number
    readonly output: unknown
    readonly effect: string
    readonly undo: { readonly status: string; readonly attempts: number } | null
  }[]
  readonly waitingFor: readonly Waiting[]
  readonly turned: { readonly code: string; readonly step: string | null } | null
  readonly halted: { readonly code: string; readonly step: string | null } | null
  readonly worker: string | null
  readonly dueAt: string | null
}

export const isEnded = ({ status }: Detail): boolean => status === 'completed' || status === 'compensated'
