import { AppError } from '@splitstream/kernel'

/** The media type without parameters, lower case. @throws AppError when the charset is not UTF-8 or the type not taken. */
export function mediaTypeOf(contentType: string | undefined, accepts: readonly string[]): string {
  if (contentType === undefined)
    throw new AppError('MEDIA_TYPE_UNSUPPORTED', `Content-Type is missing; send ${accepts.join(' or ')}`)
  const end = contentType.indexOf(';')
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  if (end >= 0) {
    const charset = /;\s*charset\s*=\s*"?([^";\s]+)"?/i.exec(contentType)?.[1]
    if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
      throw new AppError('MEDIA_TYPE_UNSUPPORTED', 'The charset is not supported; send UTF-8')
    }
  }
  if (!accepts.includes(type) && !accepts.includes('*/*')) {
    throw new AppError('MEDIA_TYPE_UNSUPPORTED', `The Content-Type is not supported; send ${accepts.join(' or ')}`)
  }
  return type
}

/** @throws AppError NOT_ACCEPTABLE when the client takes none of what the route makes. */
export function checkAccept(accept: string | undefined, produces: readonly string[]): void {
  if (accept === undefined || accept === '*/*' || accept === '') return
  const ranges = accept.split(',').flatMap((part) => {
    const [range = '', ...parameters] = part.trim().toLowerCase().split(';')
    return parameters.some((p) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(p)) ? [] : [range.trim()]
  })
  const matches = (type: string): boolean =>
    ranges.some((range) => range === '*/*' || range === type || range === `${type.split('/')[0]}/*`)
  if (!produces.some(matches)) throw new AppError('NOT_ACCEPTABLE', `This answers with ${produces.join(' or ')}`)
}
