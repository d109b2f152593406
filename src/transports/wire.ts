import { AppError } from '@splitstream/kernel'
import { isPlain, parse, stringify } from './json-value.ts'

/*
 * How the values of a call port are written as bytes (what they may be: src/kernel/port.ts).
 *
 *   no bytes in it    application/json: the JSON text; nothing at all for `undefined`
 *   bytes in it       application/vnd.splitstream.frame:
 *                       u32 LE   length of the JSON text
 *                       JSON     [[[member, length], …], the value without those members]
 *                       bytes    of each member, one after another, as they are
 *
 * So a batch of 8 MiB is never escaped, copied into a text or encoded in base 64 on its way.
 */
export const jsonType = 'application/json'
export const frameType = 'application/vnd.splitstream.frame'

export interface Encoded {
  readonly type: typeof jsonType | typeof frameType
  /** To be sent one after another. Parts that are members of the value are not copies. */
  readonly parts: readonly Uint8Array[]
  /** Bytes in all parts. */
  readonly length: number
}

/** @throws AppError INTERNAL naming the member that may not cross a port */
export function encode(value: unknown): Encoded {
  if (value === undefined) return { type: jsonType, parts: [], length: 0 }
  const members = bytesIn(value)
  if (members.length === 0) {
    const json = Buffer.from(stringify(value, 'the value'))
    return { type: jsonType, parts: [json], length: json.length }
  }
  const rest = { ...(value as Record<string, unknown>) }
  for (const [name] of members) rest[name] = undefined
  const list = members.map(([name, bytes]) => [name, bytes.length])
  const json = Buffer.from(`[${JSON.stringify(list)},${stringify(rest, 'the value')}]`)
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32LE(json.length)
  const parts = [head, json, ...members.map(([, bytes]) => bytes)]
  return { type: frameType, parts, length: parts.reduce((sum, part) => sum + part.length, 0) }
}

/**
 * Byte members of the result are views of `body`, not copies.
 * @throws AppError BODY_MALFORMED, MEDIA_TYPE_UNSUPPORTED
 */
export function decode(type: string, body: Uint8Array): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (type === frameType) return decodeFrame(bytes)
  if (type !== jsonType) throw new AppError('MEDIA_TYPE_UNSUPPORTED', `A port speaks ${jsonType} and ${frameType}`)
  return bytes.length === 0 ? undefined : parse(bytes.toString(), 'BODY_MALFORMED')
}

function bytesIn(value: unknown): [string, Uint8Array][] {
  const found: [string, Uint8Array][] = []
  if (typeof value !== 'object' || value === null || !isPlain(value)) return found
  for (const name in value) {
    const member = value[name]
    if (member instanceof Uint8Array) found.push([name, member])
  }
  return found
}

function decodeFrame(body: Buffer): unknown {
  const start = body.length < 4 ? Number.POSITIVE_INFINITY : 4 + body.readUInt32LE(0)
  if (start > body.length) throw malformed()
  const head = parse(body.toString('utf8', 4, start), 'BODY_MALFORMED')
  const [list, value]: unknown[] = Array.isArray(head) ? head : []
  if (!Array.isArray(list) || typeof value !== 'object' || value === null) throw malformed()
  let at = start
  for (const entry of list) {
    const [name, length]: unknown[] = Array.isArray(entry) ? entry : []
    if (typeof name !== 'string' || !isLength(length) || at + length > body.length) throw malformed()
    const bytes = new Uint8Array(body.buffer, body.byteOffset + at, length)
    // Not an assignment: a member may be called __proto__.
    Object.defineProperty(value, name, { value: bytes, enumerable: true, configurable: true, writable: true })
    at += length
  }
  if (at !== body.length) throw malformed()
  return value
}

const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const malformed = (): AppError => new AppError('BODY_MALFORMED', 'The frame of the value is broken')
