import { fitsDouble } from '@splitstream/ingest/contract'
import { AppError } from '@splitstream/kernel'
import type { Json } from '../domain/json.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const maxDepth = 256

/**
 * The JSON of a body. It is what will be kept of it: a number that a double does not hold is refused, as it is in events, and
 * -0 is 0.
 * @throws AppError BODY_EMPTY, BODY_MALFORMED, BODY_TOO_DEEP, REQUEST_INVALID
 */
export function parseJson(body: Uint8Array): Json {
  if (body.length === 0) throw new AppError('BODY_EMPTY', 'The body is empty')
  const { text, value } = read(body)
  if (isDeep(value, maxDepth)) throw new AppError('BODY_TOO_DEEP', `The body is nested over ${maxDepth} levels deep`)
  const lost = numbersIn(text).find((number) => !fitsDouble(number))
  if (lost === undefined) return text.includes('-0') ? (JSON.parse(JSON.stringify(value)) as Json) : value
  const detail = `The number ${lost.slice(0, 40)} is beyond what a double holds exactly; send it as a string`
  throw new AppError('REQUEST_INVALID', detail)
}

function read(body: Uint8Array): { text: string; value: Json } {
  try {
    const text = utf8.decode(body)
    return { text, value: JSON.parse(text) as Json }
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}

/** Level by level, not by recursion: what is measured could be deeper than the stack. */
function isDeep(value: Json, limit: number): boolean {
  let level: Json[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
  return false
}

/** Only numbers as long as this, or with an exponent, can be more than a double holds. */
const longNumber = 16

/** Those in a JSON text that have to be looked at. */
function numbersIn(text: string): string[] {
  const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g) ?? []
  return tokens.filter((token) => token[0] !== '"' && (token.length >= longNumber || /[eE]/.test(token)))
}
