import { AppError } from '@splitstream/kernel'
import type { Json } from '../domain/json.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The JSON of a body. @throws AppError BODY_EMPTY, BODY_MALFORMED */
export function parseJson(body: Uint8Array): Json {
  if (body.length === 0) throw new AppError('BODY_EMPTY', 'The body is empty')
  try {
    return JSON.parse(utf8.decode(body)) as Json
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}
