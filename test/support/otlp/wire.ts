/*
 * Reads protocol buffers (protobuf.dev/programming-guides/encoding) as strictly as their encoding allows: a field that the
 * message does not have, another wire type than it has, a second value of a singular field or of a oneof, text that is no UTF-8,
 * anything left over or cut short: all of it is an error. An encoder of ours has no reason to write any of that.
 */
export type Scalar =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'uint32'
  | 'enum'
  | 'int64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed64'
  | 'double'

export interface Field {
  readonly name: string
  readonly type: Scalar | (() => Message)
  readonly repeated?: true
  /** Fields with the same word exclude each other. */
  readonly oneof?: string
}

/** Fields by number. */
export type Message = Readonly<Record<number, Field>>

export type Decoded = Readonly<Record<string, unknown>>

const wireTypes: Readonly<Record<Scalar, number>> = {
  string: 2,
  bytes: 2,
  bool: 0,
  uint32: 0,
  enum: 0,
  int64: 0,
  fixed32: 5,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
}
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws Error with the path of the field at fault */
export function decode(message: Message, bytes: Uint8Array, path = ''): Decoded {
  const reader = new Reader(bytes)
  const value: Record<string, unknown> = {}
  const oneofs = new Set<string>()
  while (!reader.done) {
    const tag = reader.varint()
    const field = message[Number(tag >> 3n)]
    if (!field) throw new Error(`${path}: the message has no field ${tag >> 3n}`)
    const at = `${path}.${field.name}`
    if (field.oneof !== undefined) {
      if (oneofs.has(field.oneof)) throw new Error(`${at}: another one of ${field.oneof} was set`)
      oneofs.add(field.oneof)
    }
    const read = readField(reader, field, Number(tag & 7n), at)
    if (field.repeated) value[field.name] = [...((value[field.name] as unknown[] | undefined) ?? []), ...read]
    else if (field.name in value) throw new Error(`${at}: set twice`)
    else value[field.name] = read[0]
  }
  return value
}

function readField(reader: Reader, { type, repeated }: Field, wire: number, at: string): unknown[] {
  if (typeof type === 'function') {
    if (wire !== 2) throw new Error(`${at}: wire type ${wire}, not a message`)
    return [decode(type(), reader.bytes(Number(reader.varint())), at)]
  }
  if (repeated && wire === 2 && wireTypes[type] !== 2) {
    const packed = new Reader(reader.bytes(Number(reader.varint())))
    const values: unknown[] = []
    while (!packed.done) values.push(readScalar(packed, type, at))
    return values
  }
  if (wire !== wireTypes[type]) throw new Error(`${at}: wire type ${wire}, not ${wireTypes[type]}`)
  return [readScalar(reader, type, at)]
}

function readScalar(reader: Reader, type: Scalar, at: string): unknown {
  switch (type) {
    case 'string':
      try {
        return utf8.decode(reader.bytes(Number(reader.varint())))
      } catch (cause) {
        throw new Error(`${at}: no text`, { cause })
      }
    case 'bytes':
      return reader.bytes(Number(reader.varint()))
    case 'bool': {
      const bit = reader.varint()
      if (bit > 1n) throw new Error(`${at}: neither true nor false`)
      return bit === 1n
    }
    case 'uint32':
    case 'enum': {
      const number = reader.varint()
      if (number >= 1n << 32n) throw new Error(`${at}: more than 32 bits`)
      return Number(number)
    }
    case 'int64':
      return BigInt.asIntN(64, reader.varint())
    case 'fixed32':
      return reader.view(4).getUint32(0, true)
    case 'fixed64':
      return reader.view(8).getBigUint64(0, true)
    case 'sfixed64':
      return reader.view(8).getBigInt64(0, true)
    case 'double':
      return reader.view(8).getFloat64(0, true)
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new Error('cut short')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new Error('a varint without an end')
  }

  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new Error('cut short')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  view(length: number): DataView {
    const { buffer, byteOffset } = this.bytes(length)
    return new DataView(buffer, byteOffset, length)
  }
}
