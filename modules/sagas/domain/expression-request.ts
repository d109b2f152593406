import { asText } from './expression-compile.ts'
import { ExpressionError } from './expression-error.ts'
import { excerpt } from './expression-template.ts'
import type { Json } from './json.ts'

/** The value of an expression within a path or query. @throws ExpressionError when it cannot stand there */
export function encodeInPath(value: Json, source: string, before: string): string {
  const text = asText(value, source)
  if (text === '' && !before.includes('?')) {
    throw new ExpressionError(`Within a path, \${${excerpt(source)}} gives empty text: that is another path`)
  }
  if (!text.isWellFormed()) throw new ExpressionError(`Within a path, \${${excerpt(source)}} gives half a character`)
  return encodeURIComponent(text)
}

/** @throws ExpressionError when it leads up: a server would take it for another path */
export function checkRequestPath(path: string): string {
  if (!/\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(path)) return path
  throw new ExpressionError(`The path has . or .. as a segment: ${excerpt(path)}`)
}

/** Line breaks would be further headers; beyond Latin-1 there are no bytes for it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsendable = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/

/** @throws ExpressionError when it cannot be the value of an HTTP header (RFC 9110, 5.5) */
export function checkHeaderValue(text: string): string {
  if (!isHeaderValue(text)) {
    throw new ExpressionError('The value of a header has line breaks, control characters or characters beyond Latin-1')
  }
  return text
}

export const isHeaderValue = (text: string): boolean => !unsendable.test(text)
