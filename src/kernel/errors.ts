/**
 * The error catalogue. Every failure that a user or another module can see has one row here: a stable code, the HTTP
 * status it becomes at the edge (RFC 9457 problem+json), and whether sending the same request again can help.
 * Compare codes, never classes: an error that crossed a port in another process is not the same object.
 */
export const catalogue = {
  // requests
  BODY_MALFORMED: { status: 400, title: 'The body is not what its Content-Type says', retryable: false },
  BODY_EMPTY: { status: 400, title: 'The body is empty', retryable: false },
  BODY_TOO_DEEP: { status: 400, title: 'The body is nested too deeply', retryable: false },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large', retryable: false },
  BATCH_TOO_LARGE: { status: 413, title: 'The batch has too many events', retryable: false },
  REQUEST_INVALID: { status: 400, title: 'The request is not valid', retryable: false },
  HEADER_INVALID: { status: 400, title: 'A header is not valid', retryable: false },
  CURSOR_INVALID: { status: 400, title: 'The cursor is not one of ours', retryable: false },
  POSITION_INVALID: { status: 400, title: 'The position is not one of ours', retryable: false },
  HOST_MISDIRECTED: { status: 421, title: 'The request is for another host', retryable: false },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'The Content-Type is not supported here', retryable: false },
  ENCODING_UNSUPPORTED: { status: 415, title: 'The Content-Encoding is not supported', retryable: false },
  NOT_ACCEPTABLE: { status: 406, title: 'No offered representation is acceptable', retryable: false },
  NOT_FOUND: { status: 404, title: 'There is nothing here', retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed here', retryable: false },
  EXPECTATION_FAILED: { status: 417, title: 'The expectation cannot be met', retryable: false },
  URI_TOO_LONG: { status: 414, title: 'The request target is too long', retryable: false },
  HEADERS_TOO_LARGE: { status: 431, title: 'The header section is too large', retryable: false },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time', retryable: true },
  UNAUTHENTICATED: { status: 401, title: 'A valid API key is needed', retryable: false },
  FORBIDDEN: { status: 403, title: 'The API key lacks the scope', retryable: false },
  CONFLICT: { status: 409, title: 'The request conflicts with the current state', retryable: false },
  UNPROCESSABLE: { status: 422, title: 'The request cannot be carried out as it is', retryable: false },
  // sagas
  IDEMPOTENCY_KEY_MISSING: { status: 400, title: 'The request needs an Idempotency-Key', retryable: false },
  IDEMPOTENCY_KEY_BUSY: {
    status: 409,
    title: 'A request with this Idempotency-Key is being answered',
    retryable: true,
  },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The Idempotency-Key was used with another payload', retryable: false },
  // events, one by one
  EVENT_INVALID: { status: 422, title: 'The event is not a valid CloudEvent', retryable: false },
  EVENT_MALFORMED: { status: 422, title: 'The event is not valid JSON', retryable: false },
  EVENT_TOO_LARGE: { status: 422, title: 'The event is too large', retryable: false },
  EVENT_TOO_DEEP: { status: 422, title: 'The event is nested too deeply', retryable: false },
  EVENT_TIME_OUT_OF_RANGE: { status: 422, title: 'The event time is out of range', retryable: false },
  EVENT_NUMBER_UNSAFE: { status: 422, title: 'A number would lose precision', retryable: false },
  BATCH_REFUSED: { status: 422, title: 'The batch was refused as a whole', retryable: false },
  // capacity and dependencies
  RATE_LIMITED: { status: 429, title: 'Too many requests', retryable: true },
  OVERLOADED: { status: 503, title: 'The service is overloaded', retryable: true },
  UNAVAILABLE: { status: 503, title: 'A dependency is not available', retryable: true },
  STOPPING: { status: 503, title: 'The service is stopping', retryable: true },
  DEADLINE_EXCEEDED: { status: 504, title: 'The time budget is spent', retryable: true },
  NOT_YET_STORED: { status: 503, title: 'The position is not stored yet', retryable: true },
  QUERY_TOO_COSTLY: { status: 422, title: 'The query needs more than its limits allow', retryable: false },
  DISK_FULL: { status: 507, title: 'The disk is full', retryable: true },
  CANCELLED: { status: 499, title: 'The caller went away', retryable: false },
  UNKNOWN_OUTCOME: { status: 502, title: 'It is not known whether the call took effect', retryable: true },
  PORT_UNKNOWN: { status: 501, title: 'The port or its method is not served there', retryable: false },
  // ours
  LOG_CORRUPT: { status: 500, title: 'A log record failed its checksum', retryable: false },
  CONFIG_INVALID: { status: 500, title: 'The configuration is not valid', retryable: false },
  INTERNAL: { status: 500, title: 'An internal error', retryable: false },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>

export type ErrorCode = keyof typeof catalogue

export interface ErrorOptions {
  cause?: unknown
  /** What the caller may wait before trying again, ms. */
  retryAfterMs?: number
  /** More members of the problem document (JSON values). */
  details?: Readonly<Record<string, unknown>>
}

/** A failure with a stable code from the catalogue. `message` is safe to show to the caller: no SQL, paths or secrets. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.details = options.details
  }
}

/** The catalogue code of any thrown value; anything uncatalogued is `INTERNAL`. */
export function codeOf(error: unknown): ErrorCode {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && Object.hasOwn(catalogue, code) ? (code as ErrorCode) : 'INTERNAL'
}

/** What failed, for metrics and spans: the engine's own name for what ClickHouse refused, else the catalogue code. */
export function errorType(error: unknown): string {
  return engineError(error)?.type ?? codeOf(error)
}

/**
 * What may be said of any thrown value in logs and in answers about health. Two kinds of errors quote the data that they are
 * about, so their own text is left out: what ClickHouse says, and what is said of JSON and the like that cannot be parsed.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'something was thrown that is no error'
  if (error instanceof SyntaxError) return 'SyntaxError'
  const engine = engineError(error)
  return engine ? `ClickHouse refused it: ${engine.type} (${engine.number})` : error.message
}

/** Why a request got no answer: the code of what lies below it, such as ECONNREFUSED, else its text. */
export function whyUnanswered(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : messageOf(cause)
}

/** The text with the stack. */
export function stackOf(error: unknown): string {
  const text = messageOf(error)
  if (!(error instanceof Error) || error.stack === undefined) return text
  const at = error.stack.indexOf(error.message)
  return at < 0 ? text : `${error.name}: ${text}${error.stack.slice(at + error.message.length)}`
}

/** A ClickHouseError (drivers.ts), told by its members as errors are. */
function engineError(error: unknown): { readonly type: string; readonly number: number } | undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'CLICKHOUSE')) return undefined
  return error as Error & { readonly code: unknown; readonly type: string; readonly number: number }
}
