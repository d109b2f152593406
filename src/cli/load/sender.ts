import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Clock, JoinedBytes, type Random, systemClock, systemRandom } from '@splitstream/kernel'

/*
 * Sends batches. A batch is: sending → acknowledged, or → waiting → sending again, or → failed. The outcome of a cut
 * connection is unknown, so the same bytes are sent again: event ids make that harmless. Attempts and waits are bounded.
 */
export interface SenderOptions {
  readonly url: string
  readonly key: string
  /** Connections, kept alive; as many as requests in flight. */
  readonly connections: number
  /** Times that a batch is sent again before the load gives up. */
  readonly retries: number
  /** ms without an answer after which a request counts as cut. */
  readonly timeoutMs: number
  readonly gzip: boolean
  readonly clock?: Clock
  readonly random?: Random
  /** Told of each repeat. */
  readonly onRetry?: (reason: string, waitMs: number) => void
}

/** What the server said about a batch. */
export interface Receipt {
  readonly accepted: number
  readonly rejected: number
  /** Of those accepted: repeats of an earlier event of the same batch. */
  readonly duplicates: number
  readonly position?: string | undefined
  readonly errors: readonly { index: number; code: string; detail: string }[]
}

export interface Sender {
  /** @throws Error when the server refuses the request as such, or the retries are used up. */
  send(body: Buffer, signal: AbortSignal): Promise<Receipt>
  close(): void
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Worth sending again: timeouts, overload, a full disk, a dependency that is away. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504, 507])
const longestWait = 30_000
const shortestWait = 100
const maxAnswer = 8 * 1024 * 1024
const compress = promisify(gzip)

export function createSender(options: SenderOptions): Sender {
  const { clock = systemClock, random = systemRandom } = options
  const target = new URL('v1/events?mode=partial', options.url.endsWith('/') ? options.url : `${options.url}/`)
  const secure = target.protocol === 'https:'
  const pool = { keepAlive: true, maxSockets: options.connections, scheduling: 'fifo' } as const
  const agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool)
  const headers = {
    authorization: `Bearer ${options.key}`,
    'content-type': 'application/x-ndjson',
    accept: 'application/json, application/problem+json',
    ...(options.gzip ? { 'content-encoding': 'gzip' } : {}),
  }
  const post = (body: Buffer, signal: AbortSignal): Promise<Answer> =>
    exchange(
      secure ? httpsRequest : httpRequest,
      target,
      {
        method: 'POST',
        agent,
        signal,
        headers: { ...headers, 'content-length': body.length },
        timeout: options.timeoutMs,
      },
      body,
    )

  return {
    async send(plain, signal) {
      const body = options.gzip ? await compress(plain, { level: 1 }) : plain
      for (let attempt = 0; ; attempt++) {
        let reason: string
        let asked: number | undefined
        try {
          const answer = await post(body, signal)
          const receipt = receiptOf(answer)
          if (receipt) return receipt
          reason = describe(answer)
          if (!passing.has(answer.status)) throw new RefusedError(reason)
          asked = retryAfterMs(answer.headers['retry-after'], clock.now())
        } catch (error) {
          if (signal.aborted || error instanceof RefusedError) throw error
          reason = error instanceof Error ? error.message || error.name : String(error)
        }
        if (attempt >= options.retries) throw new Error(`gave up after ${attempt + 1} attempts: ${reason}`)
        const backoff = Math.min(longestWait, shortestWait * 2 ** Math.min(attempt, 20))
        // at least what the server asked for, and spread, so that the requests in flight do not come back as one
        const wait = Math.min(2 * longestWait, (asked ?? backoff / 2) + (random.fraction() * backoff) / 2)
        options.onRetry?.(reason, wait)
        await clock.sleep(wait, signal)
      }
    },
    close: () => agent.destroy(),
  }
}

/** The server will not take this request however often it is sent. */
class RefusedError extends Error {}

function exchange(request: typeof httpRequest, url: URL, options: RequestOptions, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      readAll(incoming).then(
        (text) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
        reject,
      )
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${options.timeout} ms`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const answer = new JoinedBytes()
  for await (const part of incoming as AsyncIterable<Buffer>) {
    if (answer.length + part.length > maxAnswer) throw new Error('the answer is too long to be one of Splitstream')
    answer.add(part)
  }
  return answer.take().toString()
}

function json(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // an answer that is not JSON comes from something in between; its status decides
  }
}

/** An answer that gives an outcome for each event, whatever its status; undefined: the request as a whole failed. */
function receiptOf(answer: Answer): Receipt | undefined {
  if (answer.status >= 500 || answer.status === 429) return undefined
  const body = json(answer.text)
  const { accepted, rejected, duplicates, position, errors } = body ?? {}
  if (typeof accepted !== 'number' || typeof rejected !== 'number') {
    if (answer.status < 300) throw new RefusedError(`${answer.status} without a receipt: is this a Splitstream server?`)
    return undefined
  }
  return {
    accepted,
    rejected,
    duplicates: typeof duplicates === 'number' ? duplicates : 0,
    position: typeof position === 'string' ? position : undefined,
    errors: Array.isArray(errors) ? (errors as Receipt['errors']) : [],
  }
}

function describe(answer: Answer): string {
  const problem = json(answer.text)
  const parts = [problem?.code, problem?.detail ?? problem?.title].filter((part) => typeof part === 'string')
  return [String(answer.status), ...parts].join(' ')
}

/** Retry-After as seconds or as a date, in ms, at most a minute. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.min(60_000, Math.max(0, ms)) : undefined
}
