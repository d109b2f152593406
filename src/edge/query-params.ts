import { AppError } from '@splitstream/kernel'

const none: Readonly<Record<string, string>> = Object.freeze({})

/**
 * The declared parameters, decoded.
 * @throws AppError REQUEST_INVALID for an unknown or a repeated one, and for values that are not percent-encoded UTF-8
 */
export function readQuery(query: string, declared: readonly string[]): Readonly<Record<string, string>> {
  if (query === '') return none
  const values: Record<string, string> = {}
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (!declared.includes(name)) {
      throw new AppError('REQUEST_INVALID', `There is no query parameter ${JSON.stringify(name.slice(0, 64))} here`)
    }
    if (Object.hasOwn(values, name)) throw new AppError('REQUEST_INVALID', `The query parameter ${name} is given twice`)
    values[name] = equals < 0 ? '' : decode(pair.slice(equals + 1))
  }
  return values
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  let decoded: string
  try {
    decoded = decodeURIComponent(spaced)
  } catch (error) {
    throw new AppError('REQUEST_INVALID', 'The query is not percent-encoded UTF-8', { cause: error })
  }
  if (decoded.includes('\0')) throw new AppError('REQUEST_INVALID', 'The query holds a NUL')
  return decoded
}
