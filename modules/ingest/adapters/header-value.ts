import { AppError } from '@splitstream/kernel'

const quotedString = /^"((?:[^"\\]|\\.)*)"$/

/**
 * The attribute that a `ce-` header carries (HTTP protocol binding 1.0.2, section 3.1.3.2): a quoted string is unquoted, then
 * percent-encoding is undone, once.
 * @throws AppError HEADER_INVALID when that does not give a text
 */
export function attributeValue(header: string, value: string | string[]): string {
  if (typeof value !== 'string') throw new AppError('HEADER_INVALID', `The header ${header} is given twice`)
  checkAscii(header, value)
  const text = value.startsWith('"') ? unquoted(header, value) : value
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new AppError('HEADER_INVALID', `The header ${header} is not percent-encoded UTF-8`, { cause: error })
  }
}

/** Other bytes than printable ASCII are not text in HTTP: one reader takes them for Latin-1, another for UTF-8. */
export function checkAscii(header: string, value: string): void {
  if (!/^[ -~]*$/.test(value)) {
    throw new AppError(
      'HEADER_INVALID',
      `The header ${header} is not printable ASCII; send other characters as percent-encoded UTF-8`,
    )
  }
}

function unquoted(header: string, value: string): string {
  const inner = quotedString.exec(value)?.[1]
  if (inner === undefined) throw new AppError('HEADER_INVALID', `The header ${header} is not one quoted string`)
  return inner.replace(/\\(.)/g, '$1')
}
