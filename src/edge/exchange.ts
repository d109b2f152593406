import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '@splitstream/kernel'
import type { Reading } from './body.ts'
import { Abort } from './call.ts'
import type { Limited, RateLimit } from './quota/quotas.ts'
import type { Watch, Watched } from './watch.ts'

/** A handler is told that its time is up, and has this long to say so itself, ms. */
const graceMs = 500

/*
 * One request and its answer. States:
 *
 *   opened → reading the body → handling → answering → closed
 *
 * Each of the middle ones has a time limit (`check`), and each ends at once when the connection does. What ends a state from outside
 * calls `fail`, which rejects whatever the request's steps wait for; the steps then answer, if that is still possible.
 */
export class Exchange implements Watched, Limited {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly id: string
  place = -1
  rateLimit: RateLimit | undefined
  readonly #watch: Watch
  readonly #abort = new Abort()
  #fail: ((error: Error) => void) | undefined
  #expire: ((now: number) => void) | undefined
  #until = Number.POSITIVE_INFINITY

  constructor(request: IncomingMessage, response: ServerResponse, id: string, watch: Watch) {
    this.request = request
    this.response = response
    this.id = id
    this.#watch = watch
    watch.add(this)
  }

  get abort(): Abort {
    return this.#abort
  }

  /** Waits for the body until `until`. */
  reading(body: Reading, until: number): Promise<Uint8Array> {
    this.#fail = (error) => body.fail(error)
    this.#until = until
    this.#expire = () => this.fail(new AppError('REQUEST_TIMEOUT', 'The body did not arrive in time'))
    return body.bytes
  }

  /** Runs the handler. At `deadline` its signal is aborted; a little later the answer is given without it. */
  handling<T>(run: () => Promise<T>, deadline: number): Promise<T> {
    this.#until = deadline
    this.#expire = (now) => {
      const late = new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
      this.#abort.abort(late)
      if (now >= deadline + graceMs) this.fail(late)
    }
    return new Promise((resolve, reject) => {
      this.#fail = reject
      run().then(resolve, reject)
    })
  }

  /** From now on the client has to take its answer: `stallMs` without taking any of it, and the connection is cut. */
  answering(now: number, stallMs: number): void {
    let taken = -1
    this.#until = now
    this.#fail = undefined
    this.#expire = (at) => {
      const bytes = this.response.socket?.bytesWritten ?? 0
      const waits = this.response.writableLength > 0 && bytes === taken
      taken = bytes
      if (!waits) this.#until = at + stallMs
      else this.response.destroy()
    }
  }

  check(now: number): void {
    if (now >= this.#until) this.#expire?.(now)
  }

  /** The request cannot go on. Without effect when it is already being answered. */
  fail(error: Error): void {
    this.#fail?.(error)
    this.#fail = undefined
  }

  /** The connection is over, or the answer is out. */
  closed(): void {
    this.#watch.remove(this)
    if (this.response.writableFinished) return
    const gone = new AppError('CANCELLED', 'The client went away')
    this.#abort.abort(gone)
    this.fail(gone)
  }
}
