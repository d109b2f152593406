import type { ServerResponse } from 'node:http'
import { AppError, catalogue, codeOf, type ErrorCode } from '@splitstream/kernel'
import { lingerOnClose } from './linger.ts'
import type { RateLimit } from './quota/quotas.ts'

/** RFC 9457 problem document. Never a stack, SQL or a file's path. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
}

/** The document and headers for any thrown value; what is not in the catalogue becomes INTERNAL and says nothing. */
export function problemOf(error: unknown, instance: string, requestId: string): Problem {
  const code = codeOf(error)
  const { status, title } = catalogue[code]
  const known = code !== 'INTERNAL' && error instanceof Error
  const options = error instanceof AppError ? error : undefined
  const body = JSON.stringify({
    ...options?.details,
    type: `urn:splitstream:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    detail: known ? error.message : 'Something went wrong on our side; the request id finds it in the log',
    instance,
    requestId,
  })
  return { status, headers: { ...headersOf(code, options), ...headersOfAll(body, requestId) }, body }
}

const headersOfAll = (body: string, requestId: string) => ({
  'Content-Type': 'application/problem+json',
  'Content-Length': Buffer.byteLength(body),
  'X-Content-Type-Options': 'nosniff',
  'Request-Id': requestId,
})

function headersOf(code: ErrorCode, error: AppError | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  const { status, retryable } = catalogue[code]
  if (error?.retryAfterMs !== undefined || (retryable && (status === 503 || status === 429 || status === 507))) {
    headers['Retry-After'] = String(Math.max(1, Math.ceil((error?.retryAfterMs ?? 1000) / 1000)))
  }
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer realm="splitstream"'
  if (code === 'ENCODING_UNSUPPORTED') headers['Accept-Encoding'] = 'gzip, deflate, br, zstd'
  const allow = error?.details?.allow
  if (status === 405 && typeof allow === 'string') headers.Allow = allow
  return headers
}

/** Sends the problem; `close` when the rest of the request is not going to be read. */
export function sendProblem(response: ServerResponse, problem: Problem, close: boolean, limited?: RateLimit): void {
  if (response.headersSent || response.destroyed) {
    // Too late to say anything: the cut tells the client that its answer is not whole.
    response.destroy()
    return
  }
  if (close) {
    response.shouldKeepAlive = false
    if (response.socket) lingerOnClose(response.socket)
  }
  if (limited) response.setHeader('RateLimit-Policy', limited.policy).setHeader('RateLimit', limited.limit)
  response.writeHead(problem.status, problem.headers)
  response.end(problem.body)
}
