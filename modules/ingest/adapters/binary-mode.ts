import { isUtf8 } from 'node:buffer'
import { AppError, type RouteRequest } from '@splitstream/kernel'

/**
 * CloudEvents binary mode (HTTP protocol binding 1.0.2, section 3.1): attributes in `ce-` headers, data in the body. It is
 * put into the JSON form, so that one reader checks every event.
 */
export function isBinaryMode(request: RouteRequest): boolean {
  return request.headers['ce-type'] !== undefined || request.headers['ce-id'] !== undefined
}

export function binaryToJson(request: RouteRequest): Uint8Array {
  const envelope: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith('ce-') || value === undefined) continue
    if (Array.isArray(value)) throw new AppError('HEADER_INVALID', `The header ${name} is given twice`)
    envelope[name.slice(3)] = percentDecoded(name, value)
  }
  const contentType = String(request.headers['content-type'] ?? '')
  if (contentType !== '') envelope.datacontenttype = contentType
  const head = JSON.stringify(envelope).slice(0, -1)
  if (request.body.length === 0) return Buffer.from(`${head}}`)

  const isJson = /^[^;]*[/+]json\b/i.test(contentType)
  if (isJson) checkJson(request.body)
  if (isJson) return Buffer.concat([Buffer.from(`${head},"data":`), request.body, Buffer.from('}')])
  const body = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength)
  const data = /^text\//i.test(contentType)
    ? `"data":${JSON.stringify(textOf(body))}`
    : `"data_base64":"${body.toString('base64')}"`
  return Buffer.from(`${head},${data}}`)
}

/** The body is put into the envelope as it is, so it has to be one JSON value and nothing more. */
function checkJson(body: Uint8Array): void {
  try {
    if (!isUtf8(body)) throw new SyntaxError('not UTF-8')
    JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}

/** @throws AppError BODY_MALFORMED: bytes that are no text would be stored as others than were sent */
function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new AppError('BODY_MALFORMED', 'The body is not UTF-8 text')
  return body.toString('utf8')
}

function percentDecoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch (error) {
    throw new AppError('HEADER_INVALID', `The header ${name} is not percent-encoded UTF-8`, { cause: error })
  }
}
