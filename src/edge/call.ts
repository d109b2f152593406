import type { IncomingHttpHeaders } from 'node:http'
import { AppError, type Call, isTraceparent } from '@splitstream/kernel'
import type { Principal } from './keys/principal.ts'

/** A class, not an object with a getter: the latter costs closures for each request. */
class EdgeCall implements Call {
  readonly tenant: string
  readonly principal: string
  readonly deadline: number
  readonly traceparent: string | undefined
  readonly idempotencyKey: string | undefined
  readonly operator: boolean
  readonly #abort: Abort

  constructor(
    { tenant, id, operator }: Principal,
    deadline: number,
    abort: Abort,
    traceparent: string | undefined,
    idempotencyKey: string | undefined,
  ) {
    this.tenant = tenant
    this.principal = id
    this.deadline = deadline
    this.traceparent = traceparent
    this.idempotencyKey = idempotencyKey
    this.operator = operator
    this.#abort = abort
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }
}

/** True when the call was made with the operator's key. Only routes of the edge ask. */
export const isOperator = (call: Call): boolean => call instanceof EdgeCall && call.operator

const idempotencyKey = /^[\x20-\x7e]{1,255}$/

/** The signal of one request, made only when somebody asks for it. */
export class Abort {
  #controller: AbortController | undefined
  #reason: AppError | undefined

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: AppError): void {
    this.#reason ??= reason
    this.#controller?.abort(this.#reason)
  }
}

/** The trace that the request says it belongs to. A bad one is ignored, as the standard says. */
export function traceparentOf({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === 'string' && isTraceparent(traceparent) ? traceparent : undefined
}

/**
 * What the request's handler is given.
 * @throws AppError HEADER_INVALID for an Idempotency-Key that is no short printable text
 */
export function callOf(
  headers: IncomingHttpHeaders,
  principal: Principal,
  deadline: number,
  abort: Abort,
  trace: string | undefined,
): Call {
  const key = headers['idempotency-key']
  if (key !== undefined && (typeof key !== 'string' || !idempotencyKey.test(key)))
    throw new AppError('HEADER_INVALID', 'The Idempotency-Key is not 1 to 255 printable ASCII characters')
  return new EdgeCall(principal, deadline, abort, trace, key)
}
