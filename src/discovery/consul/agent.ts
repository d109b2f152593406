import { AppError, JoinedBytes, whyUnanswered } from '@splitstream/kernel'

export interface ConsulAccess {
  /** Of the agent; default http://127.0.0.1:8500. */
  readonly url?: string
  /** Of the ACL system, sent as X-Consul-Token. */
  readonly token?: string
  /** Told of each request but those that wait for a change: these take as long as nothing changes. */
  readonly observe?: ConsulObserver
}

/** Hands on what `work` gives or throws. */
export type ConsulObserver = (method: string, work: () => Promise<ConsulAnswer>) => Promise<ConsulAnswer>

export interface ConsulRequest {
  readonly method?: 'GET' | 'PUT'
  /** Begins with /v1/. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface ConsulAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** An answer is not read beyond that, bytes: some thousands of instances. */
const maxAnswerBytes = 8 << 20

/**
 * The HTTP API of a Consul agent. Over fetch and not the npm package consul: what is hard (the index, the limits, what
 * holds while Consul is away) would be ours with the package too, and the rest is five requests.
 */
export class ConsulAgent {
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #observe: ConsulObserver | undefined

  /** @throws AppError CONFIG_INVALID when the url is not http(s)://host:port */
  constructor({ url = 'http://127.0.0.1:8500', token, observe }: ConsulAccess) {
    const parsed = URL.parse(url)
    if (!parsed || !['http:', 'https:'].includes(parsed.protocol) || parsed.username !== '' || parsed.password !== '') {
      throw new AppError('CONFIG_INVALID', 'The address of Consul is not of the form http://host:port')
    }
    this.#url = parsed
    this.#headers = token === undefined ? {} : { 'X-Consul-Token': token }
    this.#observe = observe
  }

  /** Whatever the status is. @throws Error when there is no whole answer in time, or it is too large */
  async send(request: ConsulRequest): Promise<ConsulAnswer> {
    if (!this.#observe || request.query?.wait !== undefined) return await this.#send(request)
    return await this.#observe(request.method ?? 'GET', () => this.#send(request))
  }

  async #send({ method = 'GET', path, query = {}, body, timeoutMs, signal }: ConsulRequest): Promise<ConsulAnswer> {
    const url = new URL(`${this.#url.pathname.replace(/\/$/, '')}${path}`, this.#url)
    url.search = new URLSearchParams(query).toString()
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(url, {
        method,
        headers: this.#headers,
        body: body === undefined ? null : JSON.stringify(body),
        redirect: 'error', // it would carry the token elsewhere
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
      return { status: response.status, headers: response.headers, text: await readText(response) }
    } catch (error) {
      throw new Error(`Consul does not answer (${whyUnanswered(error)})`, { cause: error })
    }
  }
}

/** What a status other than the expected one says, for people. */
export function refusal(status: number): Error {
  const why = status === 403 ? ': it does not know the token, or the token lacks the right' : ''
  return new Error(`Consul answered ${status}${why}`)
}

async function readText(response: Response): Promise<string> {
  const text = new JoinedBytes()
  for await (const chunk of response.body ?? []) {
    if (text.length + chunk.length > maxAnswerBytes) throw new Error(`more than ${maxAnswerBytes} bytes`)
    text.add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }
  return text.take().toString()
}
