import { AppError, type ErrorCode } from '@splitstream/kernel'

/**
 * Refuses what JSON.stringify would change or lose without a word: NaN becomes null, a Date a string, a Map {}, a function
 * nothing. A walk of its own, because a replacer makes JSON.stringify several times slower.
 * @throws AppError INTERNAL naming the member
 */
export function checkJson(value: unknown, place: string): void {
  let fine: boolean
  try {
    fine = isJson(value)
  } catch (cause) {
    throw tooDeep(place, cause)
  }
  if (!fine) throw new AppError('INTERNAL', `${offence(value, place)} cannot cross a port`)
}

/** The text of a JSON value. @throws AppError INTERNAL for anything else */
export function stringify(value: unknown, place: string): string {
  checkJson(value, place)
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw tooDeep(place, cause)
  }
}

/** @throws AppError of `code` when the text is not JSON */
export function parse(text: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError(code, 'What came is not JSON', { cause })
  }
}

function isJson(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return false
  if (value === null) return true
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isJson(value[i])) return false
    return true
  }
  if (!isPlain(value)) return false
  for (const name in value) {
    const member = value[name]
    if (member !== undefined && !isJson(member)) return false
  }
  return true
}

export function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Where the first value is that is no JSON, and what it is. Only for the message. */
function offence(value: unknown, place: string): string {
  if (typeof value !== 'object' || value === null) return `${place} (${kindOf(value)})`
  if (!Array.isArray(value) && !isPlain(value)) return `${place} (${value.constructor?.name || 'an object'})`
  for (const [name, member] of Object.entries(value)) {
    if (isJson(member) || (member === undefined && !Array.isArray(value))) continue
    return offence(member, Array.isArray(value) ? `${place}[${name}]` : `${place}.${name}`)
  }
  // Entries leaves out the holes of an array.
  return `${place} (an array with holes)`
}

const kindOf = (value: unknown): string => (typeof value === 'number' ? String(value) : typeof value)

const tooDeep = (place: string, cause: unknown): AppError =>
  new AppError('INTERNAL', `${place} is nested too deeply, or contains itself`, { cause })
