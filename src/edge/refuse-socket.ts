import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { AppError, type ErrorCode } from '@splitstream/kernel'
import { problemOf } from './problem.ts'

const parserErrors: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'BODY_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

/** What Node's parser found, as one of our errors. */
export function parserError(error: NodeJS.ErrnoException): AppError {
  const code = parserErrors[error.code ?? ''] ?? 'REQUEST_INVALID'
  return new AppError(code, 'The request is not well-formed HTTP, or did not arrive in time', { cause: error })
}

/** Answers on a connection for which there is no response object, and closes it. */
export function refuseSocket(error: AppError, socket: Duplex, requestId: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const problem = problemOf(error, '/', requestId)
  const head = [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`, 'Connection: close']
  for (const [name, value] of Object.entries(problem.headers)) head.push(`${name}: ${value}`)
  socket.end(`${head.join('\r\n')}\r\n\r\n${problem.body}`)
  // What still comes is thrown away for a moment: a reset would take the answer with it.
  socket.resume()
  const cut = setTimeout(() => socket.destroy(), 500)
  socket.once('close', () => clearTimeout(cut))
}
