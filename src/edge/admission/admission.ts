import type { IncomingMessage } from 'node:http'
import { AppError, codeOf, type Route } from '@splitstream/kernel'
import type { Exchange } from '../exchange.ts'
import type { Principal } from '../keys/principal.ts'
import type { Quotas } from '../quota/quotas.ts'
import type { LoadShedder } from './load-shedder.ts'
import type { Rests } from './rests.ts'

/** Refused requests with bodies up to this size are read and thrown away, which costs less than a new connection, bytes. */
const maxThrownAway = 256 << 10

export interface AdmissionParts {
  readonly shedder: LoadShedder
  readonly quotas?: Quotas | undefined
  readonly rests: Rests
}

/** Whether there is room for a request: decided by its head alone, so that a refusal costs little of what the work would. */
export class Admission {
  readonly #shedder: LoadShedder
  readonly #quotas: Quotas | undefined
  readonly #rests: Rests

  constructor({ shedder, quotas, rests }: AdmissionParts) {
    this.#shedder = shedder
    this.#quotas = quotas
    this.#rests = rests
  }

  /** Before anything is done for a request. @param now monotonic, ms */
  enter(now: number): void {
    this.#shedder.enter(now)
  }

  /** @param now as given to `enter` @throws AppError OVERLOADED, RATE_LIMITED or UNAVAILABLE */
  admit({ scope }: Route, principal: Principal, exchange: Exchange, now: number): void {
    const interrupted = this.#rests.interrupted(exchange.request.socket)
    this.#shedder.admit(scope, principal.tenant, now, interrupted)
    this.#quotas?.use(scope, principal, lengthOf(exchange.request) ?? 0, now, exchange)
  }

  /** The body is there: what was not known of it counts now. */
  received(principal: Principal, { request, rateLimit }: Exchange, bytes: number, now: number): void {
    this.#shedder.enter(now)
    if (rateLimit && lengthOf(request) === undefined) this.#quotas?.useMore(principal, bytes, now)
  }

  /**
   * Before the refusal is sent. Clients that do not wait as they are told are slowed down.
   * @param body what became of it: `none` there is none, or all of it was read; `unread`; `cut` in the middle
   * @returns whether the connection can go on
   */
  refused(error: unknown, { request, response }: Exchange, body: 'none' | 'unread' | 'cut'): boolean {
    const code = codeOf(error)
    if (isRefusal(code)) this.#shedder.refuses()
    const goesOn = body === 'none' || (body === 'unread' && mayThrowAway(request) && isRefusal(code))
    if (goesOn && isRefusal(code)) this.#rests.after(request, response, retryAfterMsOf(error))
    return goesOn
  }
}

const isRefusal = (code: string): boolean => code === 'OVERLOADED' || code === 'RATE_LIMITED'

/** As it is told: in whole seconds. */
const retryAfterMsOf = (error: unknown): number =>
  1_000 * Math.ceil(((error instanceof AppError ? error.retryAfterMs : undefined) ?? 1_000) / 1_000)

/** It is short, and on its way: who expects `100 Continue` may not send it. */
const mayThrowAway = (request: IncomingMessage): boolean =>
  request.headers.expect === undefined && (lengthOf(request) ?? Number.POSITIVE_INFINITY) <= maxThrownAway

const lengthOf = ({ headers }: IncomingMessage): number | undefined => {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}
