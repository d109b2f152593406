import { Agent, request } from 'node:http'
import type { Batch } from './events.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** From the first byte of the request to the last of the answer. */
  readonly ms: number
}

/** unsent: no connection, so nothing reached the server. unknown: it may have. */
export class NoAnswer extends Error {
  readonly kind: 'unsent' | 'unknown' | 'timeout'

  constructor(kind: 'unsent' | 'unknown' | 'timeout', cause: unknown) {
    super(`no answer (${kind}): ${cause instanceof Error ? cause.message : String(cause)}`)
    this.kind = kind
  }
}

/** One keep-alive connection to the server, with a key. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  close(): void {
    this.#agent.destroy()
  }

  /** @throws NoAnswer */
  send(method: string, path: string, o: { body?: Buffer; headers?: Record<string, string>; timeoutMs?: number } = {}) {
    return new Promise<Answer>((resolve, reject) => {
      const timeoutMs = o.timeoutMs ?? 20_000
      const from = performance.now()
      const headers = { authorization: `Bearer ${this.#key}`, ...o.headers, 'content-length': o.body?.length ?? 0 }
      const req = request(this.#url + path, { method, agent: this.#agent, headers }, (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('error', fail)
        res.on('end', () => {
          clearTimeout(timer)
          const ms = performance.now() - from
          resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString(), ms })
        })
      })
      let late = false
      const timer = setTimeout(() => {
        late = true
        req.destroy(new Error(`no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      function fail(error: NodeJS.ErrnoException): void {
        clearTimeout(timer)
        reject(new NoAnswer(error.code === 'ECONNREFUSED' ? 'unsent' : late ? 'timeout' : 'unknown', error))
      }
      req.on('error', fail)
      req.end(o.body)
    })
  }

  post(batch: Batch): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': batch.mediaType }
    if (batch.gzip) headers['content-encoding'] = 'gzip'
    return this.send('POST', '/v1/events', { body: batch.body, headers })
  }

  /** The JSON of a 2xx. Tries again while the server says 503 or does not answer, until the deadline. @throws Error */
  async json<T>(method: string, path: string, body?: unknown, deadlineMs = 60_000): Promise<T> {
    const until = performance.now() + deadlineMs
    for (;;) {
      let last: string
      try {
        const o = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }
        const answer = await this.send(method, path, { ...o, headers: { 'content-type': 'application/json' } })
        if (answer.status < 300) return JSON.parse(answer.text) as T
        last = `${answer.status} ${answer.text.slice(0, 500)}`
        if (answer.status !== 503 && answer.status !== 504) throw new Error(`${method} ${path}: ${last}`)
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        last = error.message
      }
      if (performance.now() > until) throw new Error(`${method} ${path}: still failing after ${deadlineMs} ms: ${last}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
