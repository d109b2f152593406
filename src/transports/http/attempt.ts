import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { AppError, codeOf, JoinedBytes } from '@splitstream/kernel'
import type { Outcome } from '../../discovery/resolver.ts'
import { errorOf } from '../error-envelope.ts'
import { parse } from '../json-value.ts'
import { decode, type Encoded } from '../wire.ts'
import { outcomeHeader, streamType } from './paths.ts'
import type { PoolRequest } from './pool.ts'
import { readStream } from './read-stream.ts'
import { isRefusedHandshake } from './tls/trouble.ts'

export interface Outgoing {
  /** Begins the request, on a connection to the instance. */
  readonly open: (request: PoolRequest) => ClientRequest
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Encoded
  readonly maxAnswerBytes: number
  readonly connectTimeoutMs: number
  /** What is left of the call's budget, ms. */
  readonly budgetMs: number
  readonly signal: AbortSignal
  /** Called once, when the connection is no more used for this: later than the result when that is a stream. */
  readonly over: () => void
}

export interface Failure {
  readonly kind: 'error'
  readonly error: AppError
  /** False only when the callee certainly never saw the call. */
  readonly mayHaveRun: boolean
  /** Undefined when it was the caller who ended it. */
  readonly outcome: Outcome | undefined
}

export type Result = { readonly kind: 'value'; readonly value: unknown } | Failure

/*
 * One request to one instance. States:
 *
 *   connecting → sent → answering → over
 *                                 → streaming → over
 *
 * What ends it early, and what is known then:
 *   connecting   no connection, or none in time: UNAVAILABLE, nothing was sent
 *   sent         the connection breaks: UNKNOWN_OUTCOME
 *   answering    the same; or the answer is too large or not readable
 *   streaming    the same, as an error of the iteration
 *   any          the budget ends (DEADLINE_EXCEEDED), the caller leaves (CANCELLED): the connection is destroyed, which
 *                tells the callee
 */
export function attempt(o: Outgoing): Promise<Result> {
  return new Promise((resolve) => new Attempt(o, resolve))
}

class Attempt {
  readonly #o: Outgoing
  readonly #resolve: (result: Result) => void
  readonly #request: ClientRequest
  readonly #budget: NodeJS.Timeout
  #connecting: NodeJS.Timeout | undefined
  #response: IncomingMessage | undefined
  #sent = false
  #cut: AppError | undefined
  #over = false

  constructor(o: Outgoing, resolve: (result: Result) => void) {
    this.#o = o
    this.#resolve = resolve
    const { path, body } = o
    const headers = { ...o.headers, 'content-type': body.type, 'content-length': body.length }
    const request = o.open({ method: 'POST', path, headers })
    this.#request = request
    request.on('socket', this.#connect).on('response', this.#answer).on('error', this.#broken)
    this.#budget = setTimeout(this.#late, o.budgetMs)
    o.signal.addEventListener('abort', this.#cancel)
    request.cork()
    for (const part of body.parts) request.write(part)
    request.end()
  }

  readonly #connect = (socket: Socket): void => {
    if (!socket.connecting) return this.#connected()
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', this.#connected)
    const slow = (): void => this.#end(new AppError('UNAVAILABLE', 'No connection in time'), 'unreachable')
    this.#connecting = setTimeout(slow, this.#o.connectTimeoutMs)
  }

  /** From here on bytes of the call are under way, and nothing can be said about whether it ran. */
  readonly #connected = (): void => {
    clearTimeout(this.#connecting)
    this.#sent = true
  }

  readonly #broken = (cause: Error): void => {
    if (isRefusedHandshake(cause)) this.#sent = false
    if (this.#sent) this.#end(unknown('The connection was lost before the answer was there', cause), 'lost')
    else this.#end(new AppError('UNAVAILABLE', 'No connection to where the call goes', { cause }), 'unreachable')
  }

  readonly #late = (): void => this.#end(new AppError('DEADLINE_EXCEEDED', 'The time budget is spent'), 'late')

  readonly #cancel = (): void => {
    const { reason } = this.#o.signal
    const error = codeOf(reason) === 'INTERNAL' ? new AppError('CANCELLED', 'The caller went away') : reason
    this.#end(error as AppError, undefined)
  }

  readonly #answer = (response: IncomingMessage): void => {
    this.#response = response
    // What breaks is told by whoever reads it; without a listener it would end the process.
    response.on('error', () => {})
    const from = response.headers[outcomeHeader]
    if (from === undefined) {
      this.#end(unknown('Something else answered than a server of ports'), 'lost')
    } else if (response.statusCode === 200 && response.headers['content-type'] === streamType) {
      this.#stream(response)
    } else {
      void this.#whole(response, from === 'refused')
    }
  }

  async #whole(response: IncomingMessage, refused: boolean): Promise<void> {
    let body: Buffer
    try {
      body = await this.#read(response)
    } catch (error) {
      const known = error instanceof AppError
      this.#end(
        known ? error : unknown('The connection was lost within the answer', error),
        known ? 'answered' : 'lost',
      )
      return
    }
    if (this.#over) return
    try {
      if (response.statusCode === 200) {
        this.#done({ kind: 'value', value: decode(response.headers['content-type'] ?? '', body) })
      } else {
        const error = errorOf(parse(body.toString(), 'UNKNOWN_OUTCOME'))
        this.#done({
          kind: 'error',
          error: refused ? refusal(error) : error,
          mayHaveRun: !refused,
          outcome: told(error),
        })
      }
    } catch (error) {
      this.#end(unknown('The answer is not readable', error), 'failed')
    }
  }

  async #read(response: IncomingMessage): Promise<Buffer> {
    const { maxAnswerBytes } = this.#o
    const tooLarge = (): AppError => new AppError('UNPROCESSABLE', `The answer is larger than ${maxAnswerBytes} bytes`)
    if (Number(response.headers['content-length'] ?? 0) > maxAnswerBytes) throw tooLarge()
    const body = new JoinedBytes()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    response.on('data', (chunk: Buffer) => {
      if (body.length + chunk.length > maxAnswerBytes) reject(tooLarge())
      else body.add(chunk)
    })
    response.on('end', resolve).on('error', reject)
    await promise
    return body.take()
  }

  /** The budget goes on until the caller begins to iterate: a stream that nobody reads must not keep its connection. */
  #stream(response: IncomingMessage): void {
    const { maxAnswerBytes: maxLineBytes } = this.#o
    const over = (): void => this.#finish()
    const items = readStream(response, { maxLineBytes, cutBy: () => this.#cut, over })
    const value: AsyncIterable<unknown> = {
      [Symbol.asyncIterator]: () => {
        clearTimeout(this.#budget)
        return items
      },
    }
    this.#resolve({ kind: 'value', value })
  }

  #done(result: Result): void {
    if (this.#over) return
    this.#finish()
    this.#resolve(result)
  }

  /** Ends it from this side. The connection is of no more use. */
  #end(error: AppError, outcome: Outcome | undefined): void {
    if (this.#over) return
    this.#cut = error
    const mayHaveRun = this.#sent
    this.#done({ kind: 'error', error, mayHaveRun, outcome })
    this.#response?.destroy()
    this.#request.destroy()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#budget)
    clearTimeout(this.#connecting)
    this.#o.signal.removeEventListener('abort', this.#cancel)
    this.#o.over()
  }
}

const unknown = (message: string, cause?: unknown): AppError => new AppError('UNKNOWN_OUTCOME', message, { cause })

/** The caller's own caller has nothing to do with what two processes show each other. */
function refusal(error: AppError): AppError {
  if (error.code !== 'UNAUTHENTICATED') return error
  return new AppError('CONFIG_INVALID', `The process that was called refuses this one: ${error.message}`)
}

function told({ code }: AppError): Outcome {
  if (code === 'STOPPING' || code === 'OVERLOADED') return 'refused'
  return code === 'INTERNAL' ? 'failed' : 'answered'
}
