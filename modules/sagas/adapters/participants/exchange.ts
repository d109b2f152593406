import type { IncomingHttpHeaders } from 'node:http'
import { JoinedBytes, type Placed, PlacedList, type Verdict } from '@splitstream/kernel'
import type { Dispatcher } from 'undici'
import type { Outcome } from '../../app/participants.ts'
import { type Body, readBody } from './answer.ts'
import { Unsendable } from './unsendable.ts'

/** How it ended, and what that says about the participant. */
export interface Ended {
  readonly outcome: Outcome
  readonly verdict: Verdict
}

export interface ExchangeOptions {
  readonly dispatcher: Dispatcher
  readonly request: Dispatcher.DispatchOptions
  /** For everything: connection, headers and body, ms. */
  readonly timeoutMs: number
  readonly maxAnswerBytes: number
  readonly signal: AbortSignal
}

/*
 * One request on one connection. What ends it, and what is known then:
 *
 *   waiting   no connection, or none in time: refused, for nothing was sent
 *   started   the connection breaks, the time is over, the answer is not HTTP: unknown
 *   answering the same: answered, with a body that was cut off; the status is known
 *   any       aborted: refused or unknown
 *
 * `started` begins before the first byte is written. What ends before that is kept from starting later.
 */
export function exchange(options: ExchangeOptions): Promise<Ended> {
  return new Promise((resolve) => new Exchange(options, resolve))
}

/**
 * What each signal would end. Its own list of listeners would not do: one that was removed still leads to the next one, so that
 * an old one keeps all that came after it, until the next full collection (docs/adr/0006).
 */
const under = new WeakMap<AbortSignal, PlacedList<Exchange>>()

function exchangesUnder(signal: AbortSignal): PlacedList<Exchange> {
  const known = under.get(signal)
  if (known) return known
  const exchanges = new PlacedList<Exchange>()
  under.set(signal, exchanges)
  signal.addEventListener('abort', () => exchanges.each((one) => one.aborted()))
  return exchanges
}

class Exchange implements Dispatcher.DispatchHandler, Placed {
  place = -1
  readonly #options: ExchangeOptions
  readonly #resolve: (ended: Ended) => void
  readonly #timer: NodeJS.Timeout
  readonly #others: PlacedList<Exchange>
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Readonly<Record<string, string>> = {}
  readonly #body = new JoinedBytes()
  #over = false

  constructor(options: ExchangeOptions, resolve: (ended: Ended) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#timer = setTimeout(this.#late, Math.min(options.timeoutMs, maxTimerMs))
    this.#others = exchangesUnder(options.signal)
    this.#others.add(this)
    if (options.signal.aborted) this.aborted()
    else options.dispatcher.dispatch(options.request, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Over, or about to be sent a second time: neither may reach the participant.
    if (this.#over || this.#controller) controller.abort(new Error('not to be sent'))
    else this.#controller = controller
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = plain(headers)
    if (Number(headers['content-length'] ?? 0) > this.#options.maxAnswerBytes) this.#tooLarge()
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body.length + chunk.length > this.#options.maxAnswerBytes) this.#tooLarge()
    else this.#body.add(chunk)
  }

  onResponseEnd(): void {
    this.#answered(readBody(this.#headers, this.#body.take()))
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (error instanceof Unsendable) return this.#end({ kind: 'refused', permanent: true, why: error.message }, 'none')
    const code = 'code' in error ? String(error.code) : ''
    if (malformed.has(code)) return this.#end({ kind: 'refused', permanent: true, why: error.message }, 'none')
    this.#end(
      this.#known('syscall' in error || error.message === '' ? code : error.message),
      ours.has(code) ? 'none' : 'bad',
    )
  }

  readonly #late = (): void => this.#cut(`${this.#options.timeoutMs} ms are over`, 'bad')

  aborted(): void {
    this.#cut('aborted', 'none')
  }

  #tooLarge(): void {
    this.#answered({
      unusable: `the body is larger than ${this.#options.maxAnswerBytes} bytes (SAGA_MAX_ANSWER_BYTES)`,
    })
    this.#controller?.abort(new Error('too large'))
  }

  #cut(why: string, verdict: Verdict): void {
    this.#end(this.#known(why), verdict)
    this.#controller?.abort(new Error(why))
  }

  #known(why: string): Outcome {
    const { request, signal } = this.#options
    if (!this.#controller)
      return { kind: 'refused', permanent: false, why: `no connection to ${request.origin}: ${why}` }
    if (this.#status === 0 || signal.aborted) return { kind: 'unknown', why: `no answer: ${why}` }
    return { ...this.#answer({ unusable: `the body is not complete: ${why}` }), cut: true }
  }

  #answered(body: Body): void {
    this.#end(this.#answer(body), this.#status >= 500 ? 'bad' : 'good')
  }

  #answer(body: Body): Extract<Outcome, { kind: 'answered' }> {
    return { kind: 'answered', status: this.#status, headers: this.#headers, ...body }
  }

  #end(outcome: Outcome, verdict: Verdict): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#others.remove(this)
    this.#resolve({ outcome, verdict })
  }
}

/** A timer for longer than 24 days would fire at once. */
const maxTimerMs = 2 ** 31 - 1
/** Undici refuses to write such a request. */
const malformed = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])
/** It was we who ended it. */
const ours = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED'])

function plain(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  for (const name in headers) {
    if (typeof headers[name] === 'string') continue
    const all = Object.entries(headers)
    return Object.fromEntries(all.map(([key, value]) => [key, Array.isArray(value) ? value.join(', ') : (value ?? '')]))
  }
  return headers as Record<string, string>
}
