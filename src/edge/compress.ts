import type { IncomingMessage } from 'node:http'
import { constants, createGzip, type Gzip } from 'node:zlib'

/** Below this the client saves less than we spend, bytes. */
export const worthCompressing = 8 * 1024

const compressible =
  /^(?:application\/(?:[\w.-]+\+)?(?:json|x-ndjson|ndjson|xml|openmetrics-text)|text\/(?!event-stream))/

/** True when the client takes gzip and the type gains from it. Live streams are left alone: they must not wait. */
export function wantsGzip(request: IncomingMessage, contentType: string | undefined): boolean {
  const accepted = request.headers['accept-encoding']
  if (typeof accepted !== 'string' || contentType === undefined || !compressible.test(contentType)) return false
  return accepted.split(',').some((part) => /^\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*(?!0(?:\.0*)?\s*$).*)?$/i.test(part))
}

/** Fast rather than small: the engine behind it waits. */
export const gzip = (): Gzip => createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 })
