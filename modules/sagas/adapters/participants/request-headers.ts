import { validateHeaderName, validateHeaderValue } from 'node:http'
import { messageOf } from '@splitstream/kernel'
import type { Outgoing } from '../../app/participants.ts'
import { reservedHeaders } from '../../domain/check-headers.ts'
import { Unsendable } from './unsendable.ts'

/** Written below, beside those that no definition may set. */
const written: ReadonlySet<string> = new Set([
  'splitstream-fencing-token',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
])

export interface Signed {
  /** Seconds since the Unix epoch. */
  readonly timestamp: number
  readonly signature: string
}

/**
 * Names and values in turn. A definition's own Accept, Content-Type and User-Agent win over ours.
 * @throws Unsendable for a header that is reserved or cannot be sent
 */
export function requestHeaders(request: Outgoing, signed: Signed, userAgent: string): string[] {
  const { idempotencyKey, traceparent } = request
  check('idempotency-key', idempotencyKey)
  const headers = [
    'accept-encoding',
    'identity',
    'idempotency-key',
    idempotencyKey,
    'request-timeout',
    `${request.timeoutMs}ms`,
    'splitstream-fencing-token',
    request.fence,
    'webhook-id',
    idempotencyKey,
    'webhook-timestamp',
    String(signed.timestamp),
    'webhook-signature',
    signed.signature,
  ]
  if (traceparent !== undefined) headers.push('traceparent', traceparent)
  const own = new Set<string>()
  for (const [name, value] of Object.entries(request.headers)) {
    const lower = name.toLowerCase()
    if (reservedHeaders.has(lower) || written.has(lower))
      throw new Unsendable(`the header ${name} is set by Splitstream; remove it from the definition`)
    check(name, value)
    headers.push(lower, value)
    own.add(lower)
  }
  const offer = (name: string, value: string): void => {
    if (!own.has(name)) headers.push(name, value)
  }
  offer('accept', 'application/json')
  offer('user-agent', userAgent)
  if (request.body !== undefined) offer('content-type', 'application/json')
  return headers
}

function check(name: string, value: string): void {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch (error) {
    throw new Unsendable(messageOf(error))
  }
}
