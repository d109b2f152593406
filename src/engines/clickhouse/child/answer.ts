import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib'
import { EngineError } from './errors.ts'

/** So much of an answer is held back, so that an error in it still gets its own status, as the server does. */
const holdBackBytes = 1 << 20
const maxWholeBytes = 64 << 20

/**
 * An answer on its way to the client: held back → begun (headers sent, bytes flow) → ended, or gone. Bytes wait for the
 * client's reading (backpressure); after the client has gone they are dropped, so that the source runs dry.
 */
export class Answer {
  readonly #response: ServerResponse
  readonly #held: Uint8Array[] = []
  readonly #limit: number
  readonly #encode: (() => Writable) | undefined
  #heldBytes = 0
  #sink: Writable | undefined

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    o: { compress: boolean; level: number; whole: boolean },
  ) {
    this.#response = response
    this.#limit = o.whole ? maxWholeBytes : holdBackBytes
    const encoding = o.compress ? preferred(request.headers['accept-encoding']?.toString() ?? '') : undefined
    if (encoding) {
      response.setHeader('Content-Encoding', encoding)
      this.#encode = () => encoder(encoding, o.level)
    }
    this.#whole = o.whole
  }

  readonly #whole: boolean

  get begun(): boolean {
    return this.#sink !== undefined
  }

  get gone(): boolean {
    return this.#response.destroyed && !this.#response.writableFinished
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.gone) return
    if (!this.#sink) {
      this.#held.push(chunk)
      this.#heldBytes += chunk.length
      if (this.#heldBytes <= this.#limit) return
      if (this.#whole)
        throw new EngineError(396, 'TOO_MANY_ROWS_OR_BYTES', 'The answer is too large for wait_end_of_query')
      await this.#begin()
      return
    }
    await this.#send(chunk)
  }

  async end(): Promise<void> {
    if (this.gone) return
    if (!this.#sink) await this.#begin()
    this.#sink?.end()
  }

  /** Ends an answer that has begun with the exception block of the server (25.11 and later). */
  async fail(text: string, tag: string): Promise<void> {
    const size = Buffer.byteLength(text)
    await this.#send(Buffer.from(`\r\n__exception__\r\n${tag}\r\n${text}${size} ${tag}\r\n__exception__\r\n`))
    this.#sink?.end()
  }

  async #begin(): Promise<void> {
    this.#response.writeHead(200)
    this.#sink = this.#response
    if (this.#encode) {
      const encoding = this.#encode()
      encoding.on('error', () => this.#response.destroy())
      // The encoder is not left behind when the client goes.
      this.#response.on('close', () => encoding.destroy())
      ;(encoding as Writable & Readable).pipe(this.#response)
      this.#sink = encoding
    }
    for (const chunk of this.#held.splice(0)) await this.#send(chunk)
  }

  async #send(chunk: Uint8Array): Promise<void> {
    const sink = this.#sink
    if (!sink || this.gone || sink.write(chunk)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    sink.once('drain', resolve)
    this.#response.once('close', resolve)
    await promise
    sink.off('drain', resolve)
    this.#response.off('close', resolve)
  }
}

type Encoding = 'gzip' | 'deflate' | 'br' | 'zstd'

function preferred(accepted: string): Encoding | undefined {
  const names = accepted
    .split(',')
    .filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
    .map((part) => part.split(';')[0]!.trim().toLowerCase())
  return (['gzip', 'zstd', 'br', 'deflate'] as const).find((name) => names.includes(name))
}

function encoder(encoding: Encoding, level: number): Writable {
  if (encoding === 'gzip') return createGzip({ level })
  if (encoding === 'deflate') return createDeflate({ level })
  if (encoding === 'br')
    return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: Math.min(level, 5) } })
  return createZstdCompress()
}

export function contentType(format: string): string {
  if (
    /^(JSON|JSONCompact|JSONStrings|JSONColumns|JSONColumnsWithMetadata|JSONCompactColumns|JSONCompactStrings|JSONObjectEachRow)$/.test(
      format,
    )
  ) {
    return 'application/json; charset=UTF-8'
  }
  if (/^JSON|^PrettyJSON|^NDJSON/.test(format)) return 'application/x-ndjson; charset=UTF-8'
  if (/^CSV/.test(format))
    return 'text/csv; charset=UTF-8; header=absent'.replace('absent', /WithNames/.test(format) ? 'present' : 'absent')
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  if (/^(Pretty|Vertical|Values|Markdown|XML|SQLInsert|LineAsString)/.test(format)) return 'text/plain; charset=UTF-8'
  return 'application/octet-stream'
}
