import { validateHeaderName, validateHeaderValue } from 'node:http'
import { passBarrier, type Reply, type Sql, type StepCall } from './barrier.ts'
import { BadRequest, headerOf, type Incoming, readBytes, readStepCall } from './request.ts'
import { signingKey, wrongSignature } from './signature.ts'

export interface ParticipantOptions<Tx> {
  readonly sql: Sql<Tx>
  /** `whsec_…`, several while they are changed. Without any, whoever reaches the port is believed. */
  readonly secret?: string | readonly string[] | undefined
  /** Told what an effect or the database threw; the engine is answered 500. console.error when not given. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Of a request, 1 MiB when not given. */
  readonly maxBodyBytes?: number | undefined
  /** For tests: a call with `Splitstream-Fault: after-effect` fails between its effect and the commit. */
  readonly faults?: boolean | undefined
}

export interface ParticipantCall extends StepCall {
  /** For the undo: what the forward call answered. */
  readonly done?: Reply | undefined
  readonly traceparent?: string | undefined
}

/**
 * Makes one effect with `tx` alone, and says what came of it; nothing said is 204. What is not a 2xx is rolled back, and so is
 * what throws. A refusal for good is a 4xx, but none of 408, 409, 425, 429 (try again) and 422 (another payload).
 */
export type Handler<Tx> = (tx: Tx, call: ParticipantCall) => Promise<Reply | undefined> | Reply | undefined

/** What is used of a response. */
export interface Outgoing {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(text?: string): unknown
}

/** A request handler of Express 4 and 5, of Connect, and of node:http. Never rejects. */
export type RequestHandler = (request: Incoming, response: Outgoing) => Promise<void>

/**
 * The participant's side of saga steps: checks the signature, passes the barrier, runs the effect, answers.
 * @throws RangeError when a secret is not one
 */
export function participant<Tx>(options: ParticipantOptions<Tx>): {
  /** One step, at any number of routes. Without `undo` there is nothing that could be undone. */
  handle(effects: { do: Handler<Tx>; undo?: Handler<Tx> }): RequestHandler
} {
  const { sql, secret = [], onError = console.error, maxBodyBytes = 1 << 20, faults = false } = options
  const keys = [secret].flat().map(signingKey)

  async function bytesOf(request: Incoming): Promise<Uint8Array> {
    if (keys.length === 0 && request.readableEnded) return Buffer.from(JSON.stringify(request.body) ?? '')
    const bytes = await readBytes(request, maxBodyBytes)
    const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((n) => headerOf(request, `webhook-${n}`))
    const wrong = keys.length > 0 && wrongSignature(keys, { id, timestamp, signature }, bytes, Date.now())
    if (wrong) throw new BadRequest(401, 'SIGNATURE_INVALID', wrong)
    return bytes
  }

  async function answer(request: Incoming, effects: { do: Handler<Tx>; undo: Handler<Tx> }): Promise<Reply> {
    const received = performance.now()
    const call = readStepCall(request, await bytesOf(request), received)
    const traceparent = headerOf(request, 'traceparent')
    const fault = faults && headerOf(request, 'splitstream-fault') === 'after-effect'
    const run = (handler: Handler<Tx>) => async (tx: Tx, _: StepCall, done?: Reply) => {
      const reply = (await handler(tx, { ...call, done, traceparent })) ?? { status: 204 }
      check(reply)
      if (fault) throw new Error('Splitstream-Fault: after-effect')
      return reply
    }
    return await passBarrier(sql, call, { do: run(effects.do), undo: run(effects.undo) })
  }

  return {
    handle:
      ({ do: forward, undo = cannotUndo }) =>
      async (request, response) => {
        const reply = await answer(request, { do: forward, undo }).catch((error: unknown) => {
          if (error instanceof BadRequest) return error.reply
          onError(error)
          return new BadRequest(500, 'INTERNAL', 'The call failed and may be sent again').reply
        })
        send(reply, response)
      },
  }
}

const cannotUndo = (): Reply => new BadRequest(405, 'NO_UNDO', 'This step cannot be undone').reply

/** What cannot be sent must not be saved. @throws RangeError or TypeError */
function check({ status, headers = {} }: Reply): void {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`${status} is no status to answer with`)
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
}

function send({ status, headers = {}, body }: Reply, response: Outgoing): void {
  response.statusCode = status
  if (body !== undefined) response.setHeader('content-type', 'application/json')
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
