import type { ServerResponse } from 'node:http'
import { AppError, catalogue, codeOf, type ErrorCode } from '@splitstream/kernel'

/** RFC 9457 problem document. Never a stack, SQL or a path. */
export interface Problem {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

export function problemOf(error: unknown, instance: string, requestId: string): Problem {
  const code = codeOf(error)
  const { status, title } = catalogue[code]
  const known = code !== 'INTERNAL' && error instanceof Error
  const options = error instanceof AppError ? error : undefined
  const body = JSON.stringify({
    ...options?.details,
    type: `https://splitstream.dev/problems/${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail: known ? error.message : 'Something went wrong on our side; the request id finds it in the log',
    instance,
    requestId,
  })
  return { status, headers: headersOf(code, options), body }
}

function headersOf(code: ErrorCode, error: AppError | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  const { status, retryable } = catalogue[code]
  if (error?.retryAfterMs !== undefined || (retryable && (status === 503 || status === 429 || status === 507))) {
    headers['retry-after'] = String(Math.max(1, Math.ceil((error?.retryAfterMs ?? 1000) / 1000)))
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="splitstream"'
  if (code === 'ENCODING_UNSUPPORTED') headers['accept-encoding'] = 'gzip, deflate, br, zstd'
  const allow = error?.details?.allow
  if (status === 405 && typeof allow === 'string') headers.allow = allow
  return headers
}

/** Sends the problem; `close` when the connection is not to be used again. */
export function sendProblem(response: ServerResponse, problem: Problem, close: boolean): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) if (name !== 'request-id') response.removeHeader(name)
  response.writeHead(problem.status, {
    ...problem.headers,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(problem.body),
    'x-content-type-options': 'nosniff',
    ...(close && { connection: 'close' }),
  })
  response.end(problem.body)
}
