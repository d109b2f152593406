import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { AppError, JoinedBytes } from '@splitstream/kernel'
import { BodyPool } from './body-pool.ts'
import { DecoderFeed } from './decoder-feed.ts'
import { decoderFor } from './decompress.ts'
import type { Share } from './in-flight.ts'

export { InFlight } from './in-flight.ts'

/*
 * The request body in one piece. States: refused (by its headers, before a byte is read) · reading → whole | failed.
 * It fails when it passes a limit, cannot be decompressed, or the owner says so (`fail`: the client left, its time is up,
 * the framing broke). What comes of a failed body is thrown away; the connection is closed by whoever answers.
 */
export interface BodyLimits {
  /** After decompression, bytes. */
  readonly maxBytes: number
  /** As sent, when it is compressed, bytes. */
  readonly maxCompressedBytes: number
}

export interface Reading {
  /** @throws AppError BODY_TOO_LARGE, BODY_MALFORMED, OVERLOADED, or what `fail` was given */
  readonly bytes: Promise<Uint8Array>
  fail(error: Error): void
  /** Bytes taken from InFlight so far, which the owner gives back when the request is done, however it ended. */
  readonly reserved: number
  /** Nobody looks at `bytes` again: another body may come to lie there. Without it they are collected like any others. */
  release(): void
}

const pool = new BodyPool()
const nothing = new Uint8Array(0)

/** Begins to read. @throws AppError BODY_TOO_LARGE, ENCODING_UNSUPPORTED or OVERLOADED by the headers alone. */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
  inFlight: Share,
): Reading {
  const length = request.headers['content-length']
  const declared = length === undefined ? undefined : Number(length)
  const decoder = decoderFor(request.headers['content-encoding'], declared)
  const maxSent = decoder ? Math.min(limits.maxCompressedBytes, limits.maxBytes) : limits.maxBytes
  if (declared !== undefined && declared > maxSent) throw tooLarge(maxSent)
  inFlight.take(declared ?? 0)
  const reader = new Reader(request, decoder, declared, limits.maxBytes, maxSent, inFlight)
  // Only now does the client learn that its body is wanted.
  if (request.headers.expect !== undefined && !response.headersSent) response.writeContinue()
  return reader
}

class Reader implements Reading {
  readonly bytes: Promise<Uint8Array>
  readonly #decoder: Transform | undefined
  readonly #feed: DecoderFeed | undefined
  readonly #declared: number | undefined
  readonly #maxBytes: number
  readonly #maxSent: number
  readonly #inFlight: Share
  #reserved: number
  #sent = 0
  #total = 0
  #first: Buffer | undefined
  /** The whole body when its length is known. */
  #whole: Buffer | undefined
  /** The whole body otherwise, from its second chunk on. */
  #more: JoinedBytes | undefined
  #done = false
  #resolve: (bytes: Uint8Array) => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(
    request: IncomingMessage,
    decoder: Transform | undefined,
    declared: number | undefined,
    maxBytes: number,
    maxSent: number,
    inFlight: Share,
  ) {
    this.#decoder = decoder
    this.#declared = decoder ? undefined : declared
    this.#maxBytes = maxBytes
    this.#maxSent = maxSent
    this.#inFlight = inFlight
    this.#reserved = declared ?? 0
    this.bytes = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (decoder) {
      decoder.on('data', this.#collect).on('end', this.#end)
      decoder.on('error', (cause: Error) => {
        this.fail(new AppError('BODY_MALFORMED', 'The compressed body cannot be decompressed', { cause }))
      })
      this.#feed = new DecoderFeed(decoder)
      request.on('data', this.#decode).on('end', this.#feed.end)
    } else {
      request.on('data', this.#collect).on('end', this.#end)
    }
  }

  get reserved(): number {
    return this.#reserved
  }

  fail(error: Error): void {
    if (this.#done) return
    this.#done = true
    this.#decoder?.destroy()
    this.#first = this.#whole = this.#more = undefined
    this.#reject(error)
  }

  release(): void {
    if (this.#whole) pool.give(this.#whole)
    this.#whole = undefined
  }

  readonly #decode = (chunk: Buffer): void => {
    if (this.#done) return
    this.#sent += chunk.length
    if (this.#sent > this.#maxSent) return this.fail(tooLarge(this.#maxSent))
    if (this.#reserve(this.#sent)) this.#feed?.add(chunk)
  }

  readonly #collect = (chunk: Buffer): void => {
    if (this.#done) return
    this.#total += chunk.length
    if (this.#total > this.#maxBytes) return this.fail(tooLarge(this.#maxBytes))
    if (this.#reserve(this.#total)) this.#keep(chunk)
  }

  /** Fails when there is no room for so many bytes. */
  #reserve(bytes: number): boolean {
    if (bytes <= this.#reserved) return true
    try {
      this.#inFlight.take(bytes - this.#reserved)
    } catch (error) {
      this.fail(error as AppError)
      return false
    }
    this.#reserved = bytes
    return true
  }

  #keep(chunk: Buffer): void {
    if (!this.#first) {
      this.#first = chunk
    } else if (this.#declared !== undefined) {
      if (!this.#whole) {
        this.#whole = pool.take(this.#declared)
        this.#first.copy(this.#whole)
        discard(this.#first)
      }
      chunk.copy(this.#whole, this.#total - chunk.length)
      discard(chunk)
    } else {
      if (!this.#more) {
        this.#more = new JoinedBytes()
        this.#more.add(this.#first)
      }
      this.#more.add(chunk)
    }
  }

  readonly #end = (): void => {
    if (this.#done) return
    this.#done = true
    this.#resolve(this.#whole?.subarray(0, this.#total) ?? this.#more?.take() ?? this.#first ?? nothing)
  }
}

/**
 * Gives back the memory of a chunk that nobody looks at again. Left to the collector, chunks of 64 KiB pile up to 64 MB, whereupon it
 * goes through the whole heap, and none of them lies in a cache any more when it is written.
 */
function discard({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

const tooLarge = (limit: number): AppError =>
  new AppError('BODY_TOO_LARGE', `The body is larger than ${limit} bytes`, { details: { limit } })
