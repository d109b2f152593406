import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RouteResponse } from '@splitstream/kernel'

const jsonType = 'application/json'

/** Writes the answer; streams with backpressure. */
export async function respond(response: ServerResponse, answer: RouteResponse, requestId: string): Promise<void> {
  const { bytes } = answer
  if (bytes instanceof Uint8Array) {
    response.writeHead(answer.status, {
      ...answer.headers,
      'content-length': bytes.length,
      'x-content-type-options': 'nosniff',
      'request-id': requestId,
    })
    response.end(bytes)
    return
  }
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('request-id', requestId)
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value)
  response.statusCode = answer.status
  if (bytes) {
    await pipeline(Readable.from(bytes), response)
    return
  }
  if (answer.json === undefined) {
    response.end()
    return
  }
  const body = Buffer.from(JSON.stringify(answer.json))
  response.setHeader('content-type', jsonType)
  response.setHeader('content-length', body.length)
  response.end(body)
}
