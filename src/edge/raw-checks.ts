import type { IncomingMessage } from 'node:http'
import { AppError } from '@splitstream/kernel'

const maxTargetBytes = 8 * 1024
const maxHeaders = 256

/** Headers that must not come twice, beside those of CloudEvents; Node keeps the first of some and joins others. */
const single = new Set([
  'host',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'authorization',
  'expect',
  'idempotency-key',
  'traceparent',
])

/** What Node's parser lets through and we do not. @throws AppError */
export function checkRaw(request: IncomingMessage): void {
  const target = request.url ?? '/'
  if (target.length > maxTargetBytes)
    throw new AppError('URI_TOO_LONG', `The request target is longer than ${maxTargetBytes} bytes`)
  if (request.httpVersionMajor !== 1) throw new AppError('REQUEST_INVALID', 'Only version 1 of HTTP is spoken here')
  checkRepeated(request.rawHeaders)
  const { host, 'transfer-encoding': coding, expect } = request.headers
  // The server's own check answers without a problem document, so it is off.
  if (host === undefined && request.httpVersion !== '1.0')
    throw new AppError('HEADER_INVALID', 'The Host header is missing')
  // Anything else leaves open where the body ends, and the next request begins (request smuggling).
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new AppError('HEADER_INVALID', 'The Transfer-Encoding is not chunked')
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw new AppError('EXPECTATION_FAILED', 'Only 100-continue can be expected')
  if (target[0] !== '/') checkAbsolute(target, host)
}

function checkRepeated(raw: readonly string[]): void {
  if (raw.length > 2 * maxHeaders)
    throw new AppError('HEADERS_TOO_LARGE', `The request has more than ${maxHeaders} headers`)
  let seen: string[] | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!single.has(name) && !name.startsWith('ce-')) continue
    if (!seen) seen = [name]
    else if (seen.includes(name)) throw new AppError('HEADER_INVALID', `The header ${name} is given twice`)
    else seen.push(name)
  }
}

/** Absolute form (RFC 9112, 3.2.2): fine for our own host, misdirected for another. */
function checkAbsolute(target: string, host: string | undefined): void {
  const url = URL.parse(target)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new AppError('REQUEST_INVALID', 'The request target is not valid')
  if (url.host !== URL.parse(`${url.protocol}//${host}`)?.host)
    throw new AppError('HOST_MISDIRECTED', 'The request target names another host than the Host header')
}

export interface Target {
  /** Percent-decoded only by the router, per segment. */
  readonly path: string
  readonly query: string
}

/** @throws AppError REQUEST_INVALID for a path that is not percent-encoded UTF-8, or hides a slash or a control character. */
export function splitTarget(url: string): Target {
  const target = url[0] === '/' ? url : originForm(url)
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  if (path.includes('%')) checkPath(path)
  return { path, query: mark < 0 ? '' : target.slice(mark + 1) }
}

function originForm(url: string): string {
  const parsed = URL.parse(url)
  return parsed ? parsed.pathname + parsed.search : '/'
}

function checkPath(path: string): void {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch (error) {
    throw new AppError('REQUEST_INVALID', 'The path is not percent-encoded UTF-8', { cause: error })
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(decoded) || /%2f|%5c/i.test(path))
    throw new AppError('REQUEST_INVALID', 'The path hides a slash or a control character')
}
