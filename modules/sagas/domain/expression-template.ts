import { ExpressionError } from './expression-error.ts'

/** Of one expression. */
export const maxSourceLength = 4 * 1024

/** A part of a string: text as it is, or the source of an expression. */
export type Part = { readonly text: string } | { readonly source: string }

/**
 * Splits a string at its `${ … }`. `$${` stands for the text `${`. Braces within the strings and maps of an expression do not
 * end it.
 * @throws ExpressionError when one is not closed
 */
export function splitTemplate(template: string): Part[] {
  const parts: Part[] = []
  let text = ''
  let at = 0
  for (let found = template.indexOf('${'); found >= 0; found = template.indexOf('${', at)) {
    if (template[found - 1] === '$' && found > at) {
      text += `${template.slice(at, found - 1)}\${`
      at = found + 2
      continue
    }
    text += template.slice(at, found)
    const end = endOfExpression(template, found + 2)
    if (text !== '') parts.push({ text })
    parts.push({ source: template.slice(found + 2, end) })
    text = ''
    at = end + 1
  }
  text += template.slice(at)
  if (text !== '' || parts.length === 0) parts.push({ text })
  return parts
}

/** A template with `x` for each of its expressions: what is the same in every result. */
export function fixedPart(template: string): string {
  return splitTemplate(template)
    .map((part) => ('text' in part ? part.text : 'x'))
    .join('')
}

/** A quoted string of CEL, or a comment: what braces do not count in. */
const opaque = /"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^\\"\n])*"|'(?:\\.|[^\\'\n])*'|\/\/[^\n]*/sy

/** Index of the brace that closes the expression which begins at `start`. */
function endOfExpression(template: string, start: number): number {
  const ahead = template.slice(start, start + maxSourceLength + 1)
  let depth = 0
  for (let at = 0; at < ahead.length; at++) {
    opaque.lastIndex = at
    if (opaque.test(ahead)) at = opaque.lastIndex - 1
    else if (ahead[at] === '{') depth++
    else if (ahead[at] === '}' && depth-- === 0) return start + at
  }
  const why = start + ahead.length < template.length ? 'it is longer than 4 KiB, or' : 'perhaps'
  throw new ExpressionError(`\${ is not closed: ${why} a } or a quote is missing: \${${excerpt(ahead)}`)
}

/** The beginning of a text, short enough for a message. */
export function excerpt(text: string, length = 120): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
