import { createRequire } from 'node:module'

/** kafkajs's encoder, as far as it counts here. */
export interface Encoder {
  /** What was written last, up to `offset`. */
  buf: Buffer
  offset: number
  /** What comes before that, by reference; added here. */
  ahead?: { readonly parts: Buffer[]; bytes: number } | undefined
  /** All that was written, in one piece. */
  readonly buffer: Buffer
  size(): number
  writeInt8(value: number): this
  writeInt16(value: number): this
  writeInt32(value: number): this
  writeUInt32(value: number): this
  writeInt64(value: unknown): this
  writeBuffer(bytes: Buffer): this
  writeBufferInternal(bytes: Buffer): void
  writeEncoder(other: Encoder): this
  writeEncoderArray(others: readonly Encoder[]): this
}

/** From here on a reference costs less than a copy, bytes. */
const large = 4_096
/** What an encoder of kafkajs begins with, bytes. */
const small = 512

/*
 * kafkajs 2.2.4 makes a request from the inside out: each of nine layers copies what is in it into a buffer of its own, which is
 * zeroed before. For a batch of 200 KB that is 2.5 MB of memory, and the garbage collector is called for every few of them. Here
 * an encoder takes what is large by reference, and becomes one piece when the request is written. The class is not exported, so
 * it is reached by its file: kafkajs is pinned to this version.
 */
const require = createRequire(import.meta.url)
export const Encoder = require('kafkajs/src/protocol/encoder.js') as { new (): Encoder; prototype: Encoder }
const { prototype } = Encoder
const { writeBufferInternal } = prototype

prototype.writeBufferInternal = function (bytes) {
  if (bytes.length < large) return writeBufferInternal.call(this, bytes)
  this.ahead ??= { parts: [], bytes: 0 }
  this.ahead.parts.push(this.buf.subarray(0, this.offset), bytes)
  this.ahead.bytes += this.offset + bytes.length
  this.buf = Buffer.allocUnsafe(small)
  this.offset = 0
}

/** All that was written, in order. */
export const partsOf = ({ ahead, buf, offset }: Encoder): Buffer[] => [...(ahead?.parts ?? []), buf.subarray(0, offset)]

prototype.size = function () {
  return (this.ahead?.bytes ?? 0) + this.offset
}

Object.defineProperty(prototype, 'buffer', {
  get(this: Encoder): Buffer {
    if (this.ahead) {
      this.buf = Buffer.concat(partsOf(this))
      this.offset = this.buf.length
      this.ahead = undefined
    }
    return this.buf.subarray(0, this.offset)
  },
})

prototype.writeEncoder = function (other) {
  for (const part of partsOf(other)) this.writeBufferInternal(part)
  return this
}

prototype.writeEncoderArray = function (others) {
  for (const other of others) this.writeEncoder(other)
  return this
}
