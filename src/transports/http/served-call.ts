import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError, type Call, codeOf } from '@splitstream/kernel'
import type { Reading } from '../../edge/body.ts'
import { Abort } from '../../edge/call.ts'
import type { Running } from './running.ts'

/** After its deadline a call has this long to say so itself, before the answer is given without it, ms. */
const graceMs = 500

/*
 * One call, as the side that serves it sees it. States:
 *
 *   reading its input → running → answering (in one piece, or as a stream) → over
 *
 * Three things end a state from outside: the caller's connection closes, the budget is spent, the process stops. Each
 * aborts the signal that the implementation sees; the signal is made only when somebody asks for it. The call counts as
 * running until the implementation is done with it, even when nobody waits for its answer any more.
 */
export class ServedCall implements Call, Running {
  place = -1
  streaming = false
  readonly tenant: string
  readonly principal: string
  readonly deadline: number
  readonly traceparent: string | undefined
  readonly idempotencyKey: string | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #abort = new Abort()
  #fail: ((error: AppError) => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** `now` is the monotonic time, ms. */
  constructor(carried: Omit<Call, 'signal'>, request: IncomingMessage, response: ServerResponse, now: number) {
    this.tenant = carried.tenant
    this.principal = carried.principal
    this.deadline = carried.deadline
    this.traceparent = carried.traceparent
    this.idempotencyKey = carried.idempotencyKey
    this.#request = request
    this.#response = response
    this.#timer = setTimeout(this.#expire, Math.max(0, this.deadline - now))
    response.once('close', this.#closed)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Waits for the input, `timeoutMs` at most. */
  async reading(body: Reading, timeoutMs: number): Promise<Uint8Array> {
    this.#fail = (error) => body.fail(error)
    const late = setTimeout(
      () => this.fail(new AppError('REQUEST_TIMEOUT', 'The input did not arrive in time')),
      timeoutMs,
    )
    try {
      return await body.bytes
    } finally {
      clearTimeout(late)
      this.#fail = undefined
    }
  }

  /** Waits for the implementation, unless the call ends before it does. */
  running<T>(result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#fail = reject
      result.then(resolve, reject)
    })
  }

  /** From here on the budget does not count: what is left is to hand the answer over. */
  answering(): void {
    clearTimeout(this.#timer)
    this.#fail = undefined
  }

  /** The call cannot go on. Without effect when it is being answered. */
  fail(error: AppError): void {
    this.#fail?.(error)
    this.#fail = undefined
  }

  abort(): void {
    this.#stopped = true
    this.#abort.abort(new AppError('STOPPING', 'The process stops'))
  }

  /** What the caller is told: an implementation takes any abort for one by its caller, who did not go away. */
  errorFor(error: unknown): unknown {
    if (!this.#stopped || codeOf(error) !== 'CANCELLED') return error
    return new AppError('UNKNOWN_OUTCOME', 'The process stopped before the call was done')
  }

  cut(): void {
    this.#response.destroy()
    this.#request.destroy()
  }

  readonly #expire = (): void => {
    const late = new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
    this.#abort.abort(late)
    this.#timer = setTimeout(() => this.fail(late), graceMs)
  }

  readonly #closed = (): void => {
    clearTimeout(this.#timer)
    if (this.#response.writableFinished) return
    const gone = new AppError('CANCELLED', 'The caller went away')
    this.#abort.abort(gone)
    this.fail(gone)
  }
}
