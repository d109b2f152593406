import type { Json } from '../../domain/json.ts'

/** A body as sagas use it; `unusable` says what is wrong with it. Neither for an empty one. */
export type Body = { readonly body?: Json; readonly unusable?: string }

const utf8 = new TextDecoder('utf-8', { fatal: true })
const json = /^application\/(?:json|[^;]+\+json)$/
const maxDepth = 64

/** @param headers those of the answer, lower-case names */
export function readBody(headers: Readonly<Record<string, string>>, bytes: Uint8Array): Body {
  if (bytes.length === 0) return {}
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity')
    return { unusable: `the body is encoded (${encoding}), though only identity was asked for` }
  const { type, charset } = mediaType(headers['content-type'] ?? '')
  const isJson = json.test(type)
  const text = isJson && charset !== 'utf-8' ? undefined : decode(bytes, charset)
  if (text === undefined) return { unusable: `the body is not text in ${isJson ? 'utf-8' : charset}` }
  return isJson ? parseJson(text) : { body: text }
}

function mediaType(header: string): { type: string; charset: string } {
  if (header === 'application/json') return { type: header, charset: 'utf-8' }
  const [type = '', ...parameters] = header.toLowerCase().split(';')
  const charset = parameters.map((text) => /^\s*charset="?([^\s"]+)"?\s*$/.exec(text)?.[1]).find(Boolean) ?? 'utf-8'
  return { type: type.trim(), charset: charset === 'utf8' || charset === 'us-ascii' ? 'utf-8' : charset }
}

/** Undefined when the bytes are not text in it, or nobody knows it. */
function decode(bytes: Uint8Array, charset: string): string | undefined {
  try {
    return (charset === 'utf-8' ? utf8 : new TextDecoder(charset, { fatal: true })).decode(bytes)
  } catch {
    return undefined
  }
}

function parseJson(text: string): Body {
  if (isTooDeep(text)) return { unusable: `the body is nested more than ${maxDepth} levels deep` }
  try {
    return { body: longNumber.test(text) ? (JSON.parse(text, exact) as Json) : (JSON.parse(text) as Json) }
  } catch (error) {
    return { unusable: error instanceof TooLarge ? error.message : 'the body is not JSON, though it says so' }
  }
}

/** Looked for first, because JSON.parse with a reviver takes several times as long. */
const longNumber = /\d{16}|[eE]\+?\d{3}/

class TooLarge extends Error {}

/**
 * An integer that a double cannot hold becomes its text, as everywhere in Splitstream: the id of a charge must not be rounded
 * on its way to the refund.
 */
function exact(_: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  if (!Number.isFinite(value)) throw new TooLarge(`the body has the number ${source?.slice(0, 32)}, which is too large`)
  return source !== undefined && /^-?\d+$/.test(source) ? source : value
}

/** By its brackets outside of strings; whether it is JSON at all is not looked at. Each level takes two characters. */
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * maxDepth) return false
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === backslash) i++
      else if (code === quote) inString = false
    } else if (code === quote) inString = true
    else if (code === openBrace || code === openBracket) {
      if (++depth > maxDepth) return true
    } else if (code === closeBrace || code === closeBracket) depth--
  }
  return false
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d]
