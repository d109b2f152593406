import { AppError, catalogue, codeOf, type ErrorCode } from '@splitstream/kernel'
import { checkJson } from './json-value.ts'

/**
 * An error as it crosses a port: a problem document (RFC 9457) whose members are kept apart, so that the same error can be
 * made of it. The cause stays where it is; so does the message of an error that is not in the catalogue.
 */
export interface ErrorEnvelope {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly retryable: boolean
  readonly retryAfterMs?: number | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export function envelopeOf(error: unknown): ErrorEnvelope {
  const code = codeOf(error)
  const { status, title, retryable } = catalogue[code]
  const ours = error instanceof AppError ? error : undefined
  // Another error with a code of the catalogue says what its author wanted to say; INTERNAL may be anything.
  const detail = ours || (code !== 'INTERNAL' && error instanceof Error) ? (error as Error).message : title
  return {
    type: `urn:splitstream:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail,
    retryable,
    retryAfterMs: ours?.retryAfterMs,
    details: sendable(ours?.details),
  }
}

/** The error that the other side threw. A code that this version does not know becomes the nearest one that it does. */
export function errorOf(envelope: unknown): AppError {
  const { code, detail, status, retryAfterMs, details } = (envelope ?? {}) as Partial<ErrorEnvelope>
  return new AppError(
    knownCode(code, status),
    typeof detail === 'string' ? detail : 'The other side failed without saying why',
    {
      ...(typeof retryAfterMs === 'number' && { retryAfterMs }),
      ...(typeof details === 'object' && details !== null && { details }),
    },
  )
}

function knownCode(code: unknown, status: unknown): ErrorCode {
  if (typeof code === 'string' && Object.hasOwn(catalogue, code)) return code as ErrorCode
  return typeof status === 'number' && status >= 400 && status < 500 ? 'UNPROCESSABLE' : 'INTERNAL'
}

/** Details that are no JSON are left out: an error must not be lost for them. */
function sendable(details: AppError['details']): AppError['details'] {
  if (!details) return undefined
  try {
    checkJson(details, 'details')
    return details
  } catch {
    return undefined
  }
}
