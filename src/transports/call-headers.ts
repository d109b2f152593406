import { AppError, type Call, type Clock, remaining } from '@splitstream/kernel'

/**
 * What of a Call crosses a process boundary, and nothing else does. The budget travels as what is left of it, never as a
 * clock reading: two machines have no clock in common. Texts are percent-encoded.
 */
export const callHeader = {
  budget: 'splitstream-budget-ms',
  tenant: 'splitstream-tenant',
  principal: 'splitstream-principal',
  version: 'splitstream-contract-version',
  trace: 'traceparent',
  key: 'idempotency-key',
} as const

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** A budget without end becomes this one, ms: the longest that a timer takes. */
export const longestMs = 2 ** 31 - 1

/**
 * The callee gets a little less than what is left, so that what it has to say about a spent budget still arrives in time.
 * @throws AppError INTERNAL when a text is no well-formed Unicode
 */
export function writeCall(call: Call, version: number, clock: Clock): Record<string, string> {
  const left = Math.min(remaining(call, clock), longestMs)
  const headers: Record<string, string> = {
    [callHeader.budget]: String(Math.floor(left - Math.min(50, left / 10))),
    [callHeader.tenant]: written(call.tenant),
    [callHeader.principal]: written(call.principal),
    [callHeader.version]: String(version),
  }
  if (call.traceparent !== undefined && traceparent.test(call.traceparent)) headers[callHeader.trace] = call.traceparent
  if (call.idempotencyKey !== undefined) headers[callHeader.key] = written(call.idempotencyKey)
  return headers
}

/** All of a Call but its signal. `now` is the monotonic time of arrival, ms. @throws AppError HEADER_INVALID */
export function readCall(headers: Headers, version: number, now: number): Omit<Call, 'signal'> {
  const budget = headers[callHeader.budget]
  if (typeof budget !== 'string' || !/^\d{1,10}$/.test(budget)) throw invalid(callHeader.budget)
  if (Number.parseInt(String(headers[callHeader.version] ?? version), 10) !== version) throw invalid(callHeader.version)
  const trace = headers[callHeader.trace]
  return {
    tenant: required(headers, callHeader.tenant),
    principal: required(headers, callHeader.principal),
    deadline: now + Math.min(Number(budget), longestMs),
    traceparent: typeof trace === 'string' && traceparent.test(trace) ? trace : undefined,
    idempotencyKey: headers[callHeader.key] === undefined ? undefined : required(headers, callHeader.key),
  }
}

// Any version but ff, as W3C Trace Context says; the edge has looked closer.
const traceparent = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** What encodeURIComponent makes. Two headers of one name, which Node joins with a comma, do not pass. */
const encoded = /^[\w.!~*'()%-]*$/

function written(text: string): string {
  try {
    return encodeURIComponent(text)
  } catch (cause) {
    throw new AppError('INTERNAL', 'A text of the call is no well-formed Unicode', { cause })
  }
}

function required(headers: Headers, name: string): string {
  const value = headers[name]
  if (typeof value !== 'string' || !encoded.test(value)) throw invalid(name)
  try {
    return decodeURIComponent(value)
  } catch (cause) {
    throw invalid(name, cause)
  }
}

const invalid = (name: string, cause?: unknown): AppError =>
  new AppError('HEADER_INVALID', `The header ${name} of the call is missing or not valid`, { cause })
