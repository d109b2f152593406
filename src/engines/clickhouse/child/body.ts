import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { EngineError } from './errors.ts'
import { endOfInsertHead } from './statement.ts'

export const maxStatementBytes = 16 << 20
/** An INSERT's head is looked for in this much of a body; the rows behind it are streamed. */
const maxHeadBytes = 256 << 10

/** The body, decompressed. A body that is cut short, or is not what its encoding says, ends with an error. */
export function openBody(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '') return request
  const decoder = decoderOf(encoding)
  if (!decoder) throw new EngineError(48, 'NOT_IMPLEMENTED', `The content encoding ${encoding} is not supported`)
  pipeline(request, decoder, () => undefined) // an error of either ends the decoder with it, and so reaches the reader
  return decoder
}

function decoderOf(encoding: string): (Readable & NodeJS.WritableStream) | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip()
  if (encoding === 'deflate') return createInflate()
  if (encoding === 'br') return createBrotliDecompress()
  if (encoding === 'zstd') return createZstdDecompress()
  return undefined
}

export interface StatementText {
  readonly sql: string
  /** What follows the head of an INSERT; undefined when the text is a whole statement. */
  readonly rows: AsyncIterable<Uint8Array> | undefined
}

/** Reads a statement from a body; of an INSERT with a format only the head, and the rows are left to be streamed. */
export async function readStatement(body: Readable, prefix: string): Promise<StatementText> {
  const chunks: Buffer[] = []
  let size = 0
  const iterator = body[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    chunks.push(next.value)
    size += next.value.length
    if (size > maxStatementBytes) throw new EngineError(62, 'SYNTAX_ERROR', 'Max query size exceeded')
    if (size > maxHeadBytes && chunks.length > 1) continue
    // latin1: one character for each byte, so that a position is an offset.
    const text = Buffer.concat(chunks).toString('latin1')
    const found = prefix === '' ? endOfInsertHead(text.slice(0, maxHeadBytes)) : undefined
    if (found) {
      const head = Buffer.from(found.head, 'latin1').toString('utf8')
      return { sql: head, rows: resume(Buffer.from(text.slice(found.rowsAt), 'latin1'), iterator) }
    }
  }
  return { sql: prefix + Buffer.concat(chunks).toString('utf8'), rows: undefined }
}

async function* resume(first: Buffer, rest: AsyncIterableIterator<Buffer>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  yield* rest
}

/** The fields of a multipart/form-data body, as @clickhouse/client sends long parameters. @throws EngineError */
export async function readFields(body: Readable, contentType: string): Promise<Map<string, string>> {
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1]
  const { sql: text } = await readStatement(body, ' ')
  const parts = text.slice(1).split(`--${boundary}`)
  if (boundary === undefined || parts.length < 2)
    throw new EngineError(36, 'BAD_ARGUMENTS', 'A malformed multipart body')
  const fields = new Map<string, string>()
  for (const part of parts.slice(1, -1)) {
    const match = /^\r\n[\s\S]*?name="([^"\r\n]+)"[\s\S]*?\r\n\r\n([\s\S]*)\r\n$/.exec(part)
    if (!match) throw new EngineError(36, 'BAD_ARGUMENTS', 'A malformed part of a multipart body')
    fields.set(match[1]!, match[2]!)
  }
  return fields
}
