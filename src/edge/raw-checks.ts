import type { IncomingMessage } from 'node:http'
import { AppError } from '@splitstream/kernel'

const maxTargetBytes = 8 * 1024

/** Headers that must not come twice; Node keeps the first of some and joins others. */
const single = new Set(['host', 'content-type', 'content-length', 'authorization', 'idempotency-key', 'traceparent'])

/** What Node's parser lets through and we do not. @throws AppError */
export function checkRaw(request: IncomingMessage): void {
  const target = request.url ?? '/'
  if (target.length > maxTargetBytes)
    throw new AppError('URI_TOO_LONG', `The request target is longer than ${maxTargetBytes} bytes`)
  const raw = request.rawHeaders
  if (raw.length > 2) checkRepeated(raw)
  if (target[0] !== '/') checkAbsolute(target, request.headers.host)
}

function checkRepeated(raw: readonly string[]): void {
  const seen = new Set<string>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!single.has(name)) continue
    if (seen.has(name)) throw new AppError('HEADER_INVALID', `The header ${name} is given twice`)
    seen.add(name)
  }
}

/** Absolute form (RFC 9112, 3.2.2): fine for our own host, misdirected for another. */
function checkAbsolute(target: string, host: string | undefined): void {
  const url = URL.parse(target)
  if (!url) throw new AppError('REQUEST_INVALID', 'The request target is not valid')
  if (url.host !== host)
    throw new AppError('HOST_MISDIRECTED', 'The request target names another host than the Host header')
}

export interface Target {
  /** Percent-decoded only by the router, per segment. */
  readonly path: string
  readonly query: string
}

const validPercent = /^(?:[^%]|%[0-9A-Fa-f]{2})*$/

/** @throws AppError REQUEST_INVALID for a path that is not percent-encoded UTF-8, or hides a NUL or a slash. */
export function splitTarget(url: string): Target {
  const target = url[0] === '/' ? url : (URL.parse(url)?.pathname ?? '/') + (URL.parse(url)?.search ?? '')
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? '' : target.slice(mark + 1)
  if (path.includes('%')) {
    let decoded: string
    try {
      decoded = decodeURIComponent(path)
    } catch (error) {
      throw new AppError('REQUEST_INVALID', 'The path is not percent-encoded UTF-8', { cause: error })
    }
    if (decoded.includes('\0') || /%2f|%5c/i.test(path))
      throw new AppError('REQUEST_INVALID', 'The path hides a NUL or a slash')
  }
  if (query !== '' && !validPercent.test(query))
    throw new AppError('REQUEST_INVALID', 'The query is not percent-encoded')
  return { path, query }
}

/** The declared parameters. @throws AppError REQUEST_INVALID for an unknown or a repeated one. */
export function readQuery(query: string, declared: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {}
  if (query === '') return values
  for (const [name, value] of new URLSearchParams(query)) {
    if (!declared.includes(name)) {
      throw new AppError('REQUEST_INVALID', `There is no query parameter ${JSON.stringify(name.slice(0, 64))} here`)
    }
    if (Object.hasOwn(values, name)) throw new AppError('REQUEST_INVALID', `The query parameter ${name} is given twice`)
    if (value.includes('\uFFFD') && /%/.test(query))
      throw new AppError('REQUEST_INVALID', `The query parameter ${name} is not UTF-8`)
    values[name] = value
  }
  return values
}
