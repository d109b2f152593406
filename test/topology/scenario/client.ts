import { setTimeout as delay } from 'node:timers/promises'

export interface Reply<T> {
  readonly status: number
  readonly json: T
}

export interface Ask {
  readonly body?: string
  /** Default application/json. */
  readonly type?: string
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}

/** Answers after which the same request is to be sent again. */
const passing = new Set([429, 502, 503, 504, 507])
const deadlineMs = 30_000

/** Asks several addresses in turn with one key, as a client behind a simple load balancer does. */
export class Client {
  readonly #urls: readonly string[]
  readonly #key: string
  #turn = 0

  constructor(urls: readonly string[], key: string) {
    this.#urls = urls
    this.#key = key
  }

  /** One request, one answer. @throws TypeError or AbortError (fetch) when no answer came */
  async ask<T>(
    method: string,
    path: string,
    { body, type = 'application/json', idempotencyKey, signal }: Ask = {},
  ): Promise<Reply<T>> {
    const url = this.#urls[this.#turn++ % this.#urls.length]!
    const late = AbortSignal.timeout(deadlineMs)
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body !== undefined && { 'content-type': type }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
      ...(body !== undefined && { body }),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    })
    const text = await response.text()
    return { status: response.status, json: (text === '' ? undefined : JSON.parse(text)) as T }
  }

  /** An answer that is read as it comes, until the signal ends it. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const url = this.#urls[this.#turn++ % this.#urls.length]!
    return fetch(`${url}${path}`, { headers: { authorization: `Bearer ${this.#key}`, ...headers }, signal })
  }

  /** The same request again until it is answered with 2xx. @throws Error for any other answer that does not pass */
  async persist<T>(method: string, path: string, o: Ask = {}): Promise<Reply<T>> {
    for (const until = performance.now() + deadlineMs; ; await delay(50)) {
      const reply = await this.ask<T>(method, path, o).catch((error: unknown) => String(error))
      const refused = typeof reply === 'object' && reply.status >= 300
      if (typeof reply === 'object' && !refused) return reply
      const why = typeof reply === 'object' ? `${reply.status} ${JSON.stringify(reply.json)}` : reply
      if (typeof reply === 'object' && !passing.has(reply.status)) throw new Error(`${method} ${path}: ${why}`)
      if (performance.now() > until) throw new Error(`${method} ${path}: for ${deadlineMs} ms: ${why}`)
    }
  }
}
