import type { IncomingMessage } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { AppError } from '@splitstream/kernel'

/** Request bytes in memory, over all requests. Above the limit new ones are refused before they are read. */
export class InFlight {
  readonly #limit: number
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @throws AppError OVERLOADED */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#limit) {
      throw new AppError('OVERLOADED', 'Too many bytes are being worked on', { retryAfterMs: 1000 })
    }
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}

export interface BodyLimits {
  /** After decompression, bytes. */
  readonly maxBytes: number
  /** For the whole body to arrive, ms. */
  readonly timeoutMs: number
}

export interface Body {
  readonly bytes: Uint8Array
  /** Give this back to InFlight when the request is done. */
  readonly reserved: number
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/**
 * The whole body, decompressed. A declared length over the limit is refused before a byte is read; a longer chunked or
 * compressed body as soon as it passes it.
 * @throws AppError BODY_TOO_LARGE, ENCODING_UNSUPPORTED, BODY_MALFORMED, REQUEST_TIMEOUT, OVERLOADED, CANCELLED
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits, inFlight: InFlight): Promise<Body> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase()
  const declared =
    request.headers['content-length'] === undefined ? undefined : Number(request.headers['content-length'])
  if (declared !== undefined && declared > limits.maxBytes) throw tooLarge(limits)
  const decoder = encoding === undefined || encoding === 'identity' ? undefined : decoders[encoding]
  if (encoding !== undefined && encoding !== 'identity' && !decoder) {
    throw new AppError('ENCODING_UNSUPPORTED', 'The Content-Encoding is not one of gzip, deflate, br, zstd')
  }
  let reserved = declared ?? 0
  inFlight.take(reserved)
  try {
    const source = decoder ? request.pipe(decoder()) : request
    const bytes = await collect(request, source, limits, (total) => {
      if (total <= reserved) return
      inFlight.take(total - reserved)
      reserved = total
    })
    return { bytes, reserved }
  } catch (error) {
    inFlight.give(reserved)
    throw error
  }
}

function collect(
  request: IncomingMessage,
  source: Readable,
  limits: BodyLimits,
  grow: (total: number) => void,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let total = 0
    const timer = setTimeout(
      () => fail(new AppError('REQUEST_TIMEOUT', 'The body did not arrive in time')),
      limits.timeoutMs,
    )
    const done = (): void => {
      clearTimeout(timer)
      request.off('aborted', onAborted)
    }
    const fail = (error: Error): void => {
      done()
      source.off('data', onData)
      if (source !== request) {
        request.unpipe()
        source.destroy()
      }
      request.pause()
      reject(error)
    }
    const onAborted = (): void => fail(new AppError('CANCELLED', 'The client went away'))
    const onData = (chunk: Buffer): void => {
      total += chunk.length
      if (total > limits.maxBytes) return fail(tooLarge(limits))
      try {
        grow(total)
      } catch (error) {
        return fail(error as Error)
      }
      chunks.push(chunk)
    }
    request.on('aborted', onAborted)
    source.on('data', onData)
    source.on('error', (error: Error) => {
      const aborted = source === request
      fail(aborted ? new AppError('CANCELLED', 'The client went away', { cause: error }) : corrupt(error))
    })
    source.on('end', () => {
      done()
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total))
    })
  })
}

const corrupt = (cause: Error): AppError =>
  new AppError('BODY_MALFORMED', 'The compressed body cannot be decompressed', { cause })

const tooLarge = (limits: BodyLimits): AppError =>
  new AppError('BODY_TOO_LARGE', `The body is larger than ${limits.maxBytes} bytes`)
