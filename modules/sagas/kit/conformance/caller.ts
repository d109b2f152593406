import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { sign, signingKey } from '../participant/signature.ts'
import type { CallTemplate, ConformanceOptions } from './options.ts'

/** `status` is undefined when no answer came. */
export interface Answer {
  readonly status: number | undefined
  readonly body: string
}

/** What a call has that is not as the engine would send it next. */
export interface CallChanges {
  readonly fence?: number
  /** Sent instead of the template of its operation. */
  readonly template?: CallTemplate
  /** Signed with a key that the participant does not have. */
  readonly forged?: boolean
  readonly fault?: boolean
}

export const isDone = ({ status }: Answer): boolean => status !== undefined && status >= 200 && status < 300
/** The engine would send it again. */
export const isLater = ({ status }: Answer): boolean =>
  status === undefined || status >= 500 || [408, 409, 425, 429].includes(status)

/** Sends the calls of one saga, as the engine sends them. */
export class Caller {
  readonly saga = `conformance-${randomUUID()}`
  readonly #options: ConformanceOptions
  readonly #key: Buffer | undefined
  readonly #timeoutMs: number

  constructor(options: ConformanceOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs ?? 10_000
    this.#key = options.secret === undefined ? undefined : signingKey(options.secret)
  }

  /** One request. Resolves with what was answered, whatever it is. */
  async send(operation: 'do' | 'undo', changes: CallChanges = {}): Promise<Answer> {
    const {
      method = 'POST',
      path,
      headers,
      body,
    }: CallTemplate = this.#filled(changes.template ?? this.#options[operation])
    const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body))
    const request = {
      method,
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...this.#headers(operation, changes),
        ...this.#signature(bytes, changes.forged === true),
      },
      ...(body !== undefined && { body: bytes }),
      redirect: 'manual' as const,
      signal: AbortSignal.timeout(this.#timeoutMs),
    }
    try {
      const response = await fetch(this.#options.url.replace(/\/$/, '') + path, request)
      return { status: response.status, body: await response.text() }
    } catch {
      return { status: undefined, body: '' }
    }
  }

  /** Sends it again, as the engine does, until the answer is final or the time for it is over. */
  async settle(operation: 'do' | 'undo', changes?: CallChanges): Promise<Answer> {
    const until = performance.now() + this.#timeoutMs
    for (let waitMs = 10; ; waitMs = Math.min(1_000, waitMs * 2)) {
      const answer = await this.send(operation, changes)
      if (!isLater(answer) || performance.now() + waitMs > until) return answer
      await delay(waitMs)
    }
  }

  #headers(operation: string, { fence = 1, fault }: CallChanges): Record<string, string> {
    return {
      'idempotency-key': `${this.saga}:step:${operation}`,
      'splitstream-saga': this.saga,
      'splitstream-step': 'step',
      'splitstream-operation': operation,
      'splitstream-fencing-token': String(fence),
      'request-timeout': `${this.#timeoutMs}ms`,
      traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
      ...(fault && { 'splitstream-fault': 'after-effect' }),
    }
  }

  #signature(body: Uint8Array, forged: boolean): Record<string, string> {
    if (!this.#key) return {}
    const id = randomUUID()
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = sign(forged ? randomBytes(32) : this.#key, id, timestamp, body)
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
  }

  #filled(template: CallTemplate): CallTemplate {
    return JSON.parse(JSON.stringify(template).replaceAll('{{saga}}', this.saga)) as CallTemplate
  }
}
