import type { IncomingMessage, ServerResponse } from 'node:http'
import { lingerOnClose } from '../../edge/linger.ts'
import { envelopeOf } from '../error-envelope.ts'
import { encode } from '../wire.ts'
import { outcomeHeader, problemType } from './paths.ts'

/** The answer in one piece. A caller that takes nothing of it for `stallMs` is cut. @throws AppError INTERNAL, see encode */
export function sendAnswer(response: ServerResponse, value: unknown, stallMs: number): void {
  const { type, parts, length } = encode(value)
  if (response.destroyed) return
  response.setTimeout(stallMs, () => response.destroy())
  response.writeHead(200, [outcomeHeader, 'answer', 'Content-Type', type, 'Content-Length', String(length)])
  if (parts.length === 1) {
    response.end(parts[0])
    return
  }
  response.cork()
  for (const part of parts) response.write(part)
  response.end()
}

/** `refused`: the implementation never saw the call. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  outcome: 'error' | 'refused',
): void {
  if (response.headersSent || response.destroyed) {
    // Too late to say anything: the cut tells the caller that its answer is not whole.
    response.destroy()
    return
  }
  const envelope = envelopeOf(error)
  const body = Buffer.from(JSON.stringify(envelope))
  if (!request.complete) {
    // Its input was not read to the end, and will not be.
    response.shouldKeepAlive = false
    if (response.socket) lingerOnClose(response.socket)
  }
  const headers = [outcomeHeader, outcome, 'Content-Type', problemType, 'Content-Length', String(body.length)]
  if (envelope.status === 401) headers.push('WWW-Authenticate', 'Bearer realm="splitstream internal"')
  response.writeHead(envelope.status, headers)
  response.end(body)
}
