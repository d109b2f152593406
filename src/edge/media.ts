import type { IncomingHttpHeaders } from 'node:http'
import { AppError, type Route } from '@splitstream/kernel'

/** True when the request's framing announces a body. */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/**
 * The media type of the body, without parameters, lower case; '' when the route takes no body.
 * @throws AppError MEDIA_TYPE_UNSUPPORTED when the charset is not UTF-8 or the type is not taken here, REQUEST_INVALID for
 * a body where none is taken: nobody would read it, and a proxy in between might see it as the next request.
 */
export function mediaTypeOf(headers: IncomingHttpHeaders, route: Route): string {
  const { accepts } = route
  if (!accepts) {
    if (hasBody(headers)) throw new AppError('REQUEST_INVALID', 'This takes no body')
    return ''
  }
  if (route.bodyOptional && !hasBody(headers)) return ''
  const any = accepts[0] === '*/*'
  const contentType =
    // An event in binary mode without data has no Content-Type.
    headers['content-type'] ?? (any && headers['ce-type'] !== undefined ? 'application/octet-stream' : undefined)
  if (contentType === undefined)
    throw new AppError('MEDIA_TYPE_UNSUPPORTED', `Content-Type is missing; send ${accepts.join(' or ')}`)
  const end = contentType.indexOf(';')
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  if (end >= 0) checkCharset(contentType)
  if (any ? !/^[\w.+-]+\/[\w.+-]+$/.test(type) : !accepts.includes(type))
    throw new AppError('MEDIA_TYPE_UNSUPPORTED', `The Content-Type is not supported; send ${accepts.join(' or ')}`)
  return type
}

function checkCharset(contentType: string): void {
  for (const [, charset] of contentType.matchAll(/;\s*charset\s*=\s*"?([^";\s]*)"?/gi)) {
    if (!/^utf-?8$/i.test(charset ?? ''))
      throw new AppError('MEDIA_TYPE_UNSUPPORTED', 'The charset is not supported; send UTF-8')
  }
}

/** @throws AppError NOT_ACCEPTABLE when the client takes none of what the route makes. */
export function checkAccept(accept: string | undefined, produces: readonly string[]): void {
  if (accept === undefined || accept === '*/*' || accept === '' || produces.includes(accept)) return
  const refused: string[] = []
  const taken: string[] = []
  for (const part of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';')
    const list = parameters.some((p) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(p)) ? refused : taken
    list.push(range.trim())
  }
  // The most specific range decides, so a type that is named and refused is not rescued by */*.
  const matches = (type: string): boolean =>
    !refused.includes(type) && taken.some((range) => range === '*/*' || range === type || range === groupOf(type))
  if (!produces.some(matches)) throw new AppError('NOT_ACCEPTABLE', `This answers with ${produces.join(' or ')}`)
}

const groupOf = (type: string): string => `${type.slice(0, type.indexOf('/'))}/*`
