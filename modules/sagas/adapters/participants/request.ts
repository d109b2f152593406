import type { Dispatcher } from 'undici'
import type { Outgoing } from '../../app/participants.ts'
import { requestHeaders } from './request-headers.ts'
import { sign } from './signature.ts'
import { Unsendable } from './unsendable.ts'

export interface Sender {
  /** Of the tenant that calls, the newest first. */
  readonly secrets: readonly Uint8Array[]
  /** Seconds since the Unix epoch. */
  readonly timestamp: number
  readonly userAgent: string
}

/** A request as it goes out, signed. @throws Unsendable when it cannot be sent */
export function toDispatch(request: Outgoing, { secrets, timestamp, userAgent }: Sender): Dispatcher.DispatchOptions {
  const url = parse(request.url)
  const body = request.body === undefined ? '' : stringify(request.body)
  const signature = sign(secrets, request.idempotencyKey, timestamp, body)
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: requestHeaders(request, { timestamp, signature }, userAgent),
    body: body === '' ? null : body,
    // Their time is the whole exchange's.
    headersTimeout: 0,
    bodyTimeout: 0,
  }
}

/** What is called is taken from this one reading of the URL, and from nothing else. */
function parse(text: string): URL {
  const url = URL.parse(text)
  if (!url) throw new Unsendable(`${JSON.stringify(text.slice(0, 200))} is not an absolute URL`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Unsendable(`${url.protocol} is not spoken with participants; give an https: URL`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new Unsendable('the URL holds a user name or password; give an Authorization header in its place')
  }
  return url
}

function stringify(body: unknown): string {
  try {
    return JSON.stringify(body)
  } catch {
    throw new Unsendable('the body cannot be written as JSON')
  }
}
