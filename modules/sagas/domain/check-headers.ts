import type { Path, Problems } from './check-problems.ts'
import { isHeaderValue } from './expression-request.ts'

/** RFC 9110, 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Of the connection, not of the request (RFC 9110, 7.6.1), or written by the engine. */
export const reservedHeaders: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'request-timeout',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const reservedPrefixes: readonly string[] = ['webhook-', 'splitstream-']

/** Can these headers be sent with a request? Expressions in their values are looked at elsewhere. */
export function checkHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  path: Path,
  problems: Problems,
): void {
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(headers ?? {})) {
    const lower = name.toLowerCase()
    const at = [...path, name]
    if (!token.test(name)) problems.add(at, 'not the name of a header')
    else if (reservedHeaders.has(lower) || reservedPrefixes.some((prefix) => lower.startsWith(prefix))) {
      problems.add(at, 'this header is not yours to set')
    } else if (seen.has(lower)) problems.add(at, 'the same header is there twice; upper and lower case are alike')
    seen.add(lower)
    if (!isHeaderValue(value))
      problems.add(at, 'line breaks, control characters and characters beyond Latin-1 cannot be sent')
  }
}
