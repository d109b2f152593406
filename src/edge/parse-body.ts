import { isUtf8 } from 'node:buffer'
import { AppError, checked, type Schema } from '@splitstream/kernel'

const maxDepth = 256

/**
 * The body as JSON of the schema's form.
 * @throws AppError BODY_MALFORMED, BODY_TOO_DEEP, or REQUEST_INVALID with each problem's path
 */
export function parseBody<T>(schema: Schema<T>, body: Uint8Array): T {
  let json: unknown
  try {
    if (!isUtf8(body)) throw new SyntaxError('not UTF-8')
    json = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
  if (depthExceeds(json, maxDepth))
    throw new AppError('BODY_TOO_DEEP', `The body is nested more than ${maxDepth} levels deep`)
  return checked(schema, json, '$')
}

/** Level by level, not by recursion: what is measured could be deeper than the stack. */
function depthExceeds(json: unknown, limit: number): boolean {
  let level = [json]
  for (let depth = 0; depth <= limit; depth++) {
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []))
    if (level.length === 0) return false
  }
  return true
}
