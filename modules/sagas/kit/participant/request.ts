import type { Reply, StepCall } from './barrier.ts'

/** What is used of a request: those of Express 4 and 5, Connect and node:http have it. */
export interface Incoming extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly readableEnded?: boolean
  readonly body?: unknown
  /** The bytes of the body, when something before us has read them. */
  readonly rawBody?: unknown
}

/** What was wrong with a request, as the answer to it. */
export class BadRequest extends Error {
  readonly reply: Reply

  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.reply = { status, headers: { 'content-type': 'application/problem+json' }, body: { status, code, detail } }
  }
}

/** One header, without white space around it; undefined when there is none. */
export function headerOf({ headers }: Pick<Incoming, 'headers'>, name: string): string | undefined {
  const value = headers[name]
  return (Array.isArray(value) ? value[0] : value)?.trim()
}

/**
 * The bytes of the body.
 * @throws BadRequest 413 when they are more than `maxBytes`; Error when they were read before us and not kept
 */
export async function readBytes(request: Incoming, maxBytes: number): Promise<Uint8Array> {
  for (const kept of [request.rawBody, request.body]) if (kept instanceof Uint8Array) return kept
  if (request.readableEnded)
    throw new Error(
      'The body was parsed before the participant saw it, so its signature cannot be checked. Mount the participant before ' +
        'express.json(), or keep the bytes: express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } })',
    )
  // One piece that grows: kept apart, chunks of one byte would take a hundred times that.
  let bytes = new Uint8Array(1_024)
  let length = 0
  for await (const chunk of request) {
    const end = length + chunk.length
    if (end > maxBytes) throw new BadRequest(413, 'BODY_TOO_LARGE', `The body has more than ${maxBytes} bytes`)
    if (end > bytes.length) {
      const larger = new Uint8Array(2 * end)
      larger.set(bytes)
      bytes = larger
    }
    bytes.set(chunk, length)
    length = end
  }
  return bytes.subarray(0, length)
}

/**
 * What the engine says about a call in headers.
 * @param received when the request came, by performance.now()
 * @throws BadRequest 400 that names the header which is missing or wrong
 */
export function readStepCall(request: Incoming, bytes: Uint8Array, received: number): StepCall {
  const needed = (name: string, form: RegExp): string => {
    const value = headerOf(request, name.toLowerCase())
    if (value !== undefined && form.test(value)) return value
    throw new BadRequest(400, 'HEADER_INVALID', `${name} is missing or not what the engine sends`)
  }
  return {
    saga: needed('Splitstream-Saga', /^[\x21-\x7e]{1,128}$/),
    step: needed('Splitstream-Step', /^[\x21-\x7e]{1,64}$/),
    operation: needed('Splitstream-Operation', /^(do|undo)$/) as StepCall['operation'],
    key: needed('Idempotency-Key', /^[\x20-\x7e]{1,255}$/),
    fence: BigInt(needed('Splitstream-Fencing-Token', /^\d{1,18}$/)),
    target: `${request.method} ${request.originalUrl ?? request.url}`,
    body: parse(bytes),
    until: untilOf(headerOf(request, 'request-timeout'), received),
  }
}

const unitMs = { ms: 1, s: 1_000, m: 60_000 }

/** `Request-Timeout`: a number and a unit, from the receipt on. Undefined for one that is not there, or not to be understood. */
function untilOf(header: string | undefined, received: number): number | undefined {
  const [, count, unit] = /^(\d{1,12})(ms|s|m)$/.exec(header ?? '') ?? []
  return unit === undefined ? undefined : received + Number(count) * unitMs[unit as keyof typeof unitMs]
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new BadRequest(400, 'BODY_MALFORMED', 'The body is not JSON')
  }
}
