import { setTimeout as delay } from 'node:timers/promises'
import { AppError, catalogue, codeOf, type Random, systemRandom, whyUnanswered } from '@splitstream/kernel'
import { type Connection, problemOf } from '../api.ts'
import { serverEvents } from './server-events.ts'

export interface FollowOptions {
  /** Of GET /v1/events/stream: type, source, subject, where, after. */
  readonly parameters: Readonly<Record<string, string>>
  /** Ends it. */
  readonly signal: AbortSignal
  /** Told when the connection is lost (why), and when it is there again. */
  readonly lost: (why: string) => void
  readonly back: () => void
  /** Spreads the attempts; default: that of the system. */
  readonly random?: Random
}

/** The server says something every 15 s; a connection that is silent for so long is dead, ms. */
const silenceMs = 45_000
/** Between two attempts, ms: doubled each time. */
const [firstRetryMs, lastRetryMs] = [500, 10_000]

/*
 * Events as they come, each once: after every connection that is lost it goes on behind the last whole event. States:
 *
 *   connecting → streaming → (ended, silent or broken) waiting → connecting …
 *
 * @throws AppError what the server says to the first attempt, and to a later one that no repetition helps (a revoked key);
 * Error when nobody answers the first
 */
export async function* followEvents(connection: Connection, o: FollowOptions): AsyncGenerator<string, void> {
  const { random = systemRandom } = o
  const state: State = { id: undefined, retryMs: firstRetryMs, connected: false }
  let pauseMs = firstRetryMs
  while (!o.signal.aborted) {
    let why = 'the server ended the stream'
    try {
      for await (const event of stream(connection, o, state)) {
        pauseMs = firstRetryMs
        yield event
      }
    } catch (error) {
      if (o.signal.aborted) return
      if (isFinal(error, state)) throw error
      why = error instanceof Error ? error.message : String(error)
    }
    if (o.signal.aborted) return
    o.lost(why)
    // Not all clients of a server that was away come back at the same moment.
    const ms = Math.max(state.retryMs, pauseMs) * (0.75 + random.fraction() / 2)
    pauseMs = Math.min(pauseMs * 2, lastRetryMs)
    await delay(ms, undefined, { signal: o.signal }).catch(() => undefined)
  }
}

interface State {
  /** Behind the last whole event. */
  id: string | undefined
  retryMs: number
  /** At least once. */
  connected: boolean
}

async function* stream(connection: Connection, o: FollowOptions, state: State): AsyncGenerator<string, void> {
  const silent = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => silent.abort(new Error(`nothing came for ${silenceMs / 1000} s`)), silenceMs)
  }
  heard()
  try {
    const body = await connect(connection, o, state, AbortSignal.any([o.signal, silent.signal]))
    if (state.connected) o.back()
    state.connected = true
    const listened = async function* () {
      for await (const chunk of body) {
        heard()
        yield chunk
      }
    }
    for await (const { id, name, data, retryMs } of serverEvents(listened())) {
      if (retryMs !== undefined) state.retryMs = Math.min(retryMs, lastRetryMs)
      if (name === 'problem' && data !== undefined) throw problemIn(data)
      if (name === 'message' && data !== undefined) {
        // The reader may take its time with it.
        clearTimeout(timer)
        yield data
        heard()
      }
      if (id !== undefined) state.id = id
    }
  } finally {
    clearTimeout(timer)
  }
}

/** @throws AppError for an answer that is no stream, Error when there is none */
async function connect(
  { url, key }: Connection,
  { parameters }: FollowOptions,
  { id }: State,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const answer = await fetch(`${url}/v1/events/stream?${new URLSearchParams(parameters)}`, {
    headers: {
      authorization: `Bearer ${key}`,
      accept: 'text/event-stream',
      ...(id !== undefined && { 'last-event-id': id }),
    },
    signal,
  }).catch((error: unknown) => {
    if (signal.aborted) throw error
    throw new Error(`nobody answers at ${url} (${whyUnanswered(error)}): is it running, and is --url right?`, {
      cause: error,
    })
  })
  if (answer.status === 200 && answer.body && answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    return answer.body
  }
  const text = await answer.text()
  let body: unknown = text.slice(0, 200)
  try {
    body = JSON.parse(text)
  } catch {
    // Something in between answered, not Splitstream.
  }
  throw problemOf({ status: answer.status, body })
}

function problemIn(data: string): AppError {
  const { code, detail } = JSON.parse(data) as { code: string; detail: string }
  return new AppError(codeOf(Object.assign(new Error(), { code })), `${code}: ${detail}`)
}

/** No use to try again. */
function isFinal(error: unknown, { connected }: State): boolean {
  if (!connected) return true
  // What has no code of ours is of the network, or of something in between.
  return error instanceof AppError && codeOf(error) !== 'INTERNAL' && !catalogue[codeOf(error)].retryable
}
