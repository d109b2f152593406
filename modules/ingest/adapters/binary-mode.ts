import { isUtf8 } from 'node:buffer'
import { AppError, type RouteRequest } from '@splitstream/kernel'
import { isJsonType } from '../domain/json-type.ts'
import { attributeValue, checkAscii } from './header-value.ts'

type Sent = Pick<RouteRequest, 'headers' | 'mediaType' | 'body'>

/**
 * CloudEvents binary mode (HTTP protocol binding 1.0.2, section 3.1): attributes in `ce-` headers, data in the body. It is
 * put into the JSON form, so that one reader checks every event.
 */
export function isBinaryMode(request: Sent): boolean {
  return request.headers['ce-type'] !== undefined || request.headers['ce-id'] !== undefined
}

/** What is not an attribute in a `ce-` header, and where it is instead. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ['data', 'the data is the body'],
  ['data_base64', 'the data is the body'],
  ['datacontenttype', 'it is the Content-Type'],
])

/** @throws AppError HEADER_INVALID, or BODY_MALFORMED for a body that is not what its Content-Type says */
export function binaryToJson(request: Sent): Uint8Array {
  const members: string[] = []
  for (const [header, value] of Object.entries(request.headers)) {
    if (!header.startsWith('ce-') || value === undefined) continue
    const name = header.slice(3)
    const place = elsewhere.get(name)
    if (place !== undefined) throw new AppError('HEADER_INVALID', `${header} is not a header of an event: ${place}`)
    members.push(`${JSON.stringify(name)}:${JSON.stringify(attributeValue(header, value))}`)
  }
  const contentType = String(request.headers['content-type'] ?? '')
  checkAscii('content-type', contentType)
  if (contentType !== '') members.push(`"datacontenttype":${JSON.stringify(contentType)}`)
  if (request.body.length === 0) return Buffer.from(`{${members.join()}}`)

  const head = `{${members.join()},`
  if (isJsonType(contentType)) {
    checkJson(request.body)
    return Buffer.concat([Buffer.from(`${head}"data":`), request.body, Buffer.from('}')])
  }
  const body = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength)
  const data = /^text\//i.test(contentType)
    ? `"data":${JSON.stringify(textOf(body))}`
    : `"data_base64":"${body.toString('base64')}"`
  return Buffer.from(`${head}${data}}`)
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
