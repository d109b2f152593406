import { dataKind, flagTimeAssigned } from '../contract/index.ts'
import { attribute, attributes } from './attributes.ts'
import { isJsonType } from './json-type.ts'
import { Murmur } from './murmur.ts'
import { hasHidden } from './plain-text.ts'
import { RecordBuilder } from './record-builder.ts'
import { type EventScanner, valueKind } from './scanner.ts'
import { parseTime } from './time.ts'

export interface EncoderLimits {
  /** Longest id, source, type and subject, bytes. */
  readonly maxNameBytes: number
  /** How far in the future an event's time may lie, microseconds. */
  readonly maxAheadMicros: number
}

export interface EventProblem {
  readonly code: string
  readonly detail: string
}

const { id, source, type, subject, datacontenttype, dataschema } = attribute
const required = [id, source, type]
const limited = [id, source, type, subject, datacontenttype, dataschema]
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const nothing = new Uint8Array(0)

/** Bytes of one string column: the body's own, or decoded ones. */
interface Span {
  bytes: Uint8Array
  start: number
  end: number
}

/**
 * Checks a scanned event against CloudEvents 1.0.2 and this product's limits, and writes it into the record of its
 * partition. Everything about the event is final afterwards.
 */
export class EventEncoder {
  readonly builders: readonly RecordBuilder[]
  readonly #limits: EncoderLimits
  readonly #hash = new Murmur()
  /** After the tenant, with which every key begins. */
  readonly #prefix = new Murmur()
  readonly #spans: Span[] = attributes.map(() => ({ bytes: nothing, start: 0, end: 0 }))
  #tenant: Uint8Array = nothing
  #received = 0
  #strictVersion = false
  /** The key of the event encoded last. */
  keyLow = 0
  keyHigh = 0

  constructor(partitions: number, limits: EncoderLimits) {
    this.builders = Array.from({ length: partitions }, () => new RecordBuilder())
    this.#limits = limits
  }

  /** @param receivedMicros when the batch was accepted; @param strictVersion specversion must be given */
  begin(tenant: string, receivedMicros: number, strictVersion: boolean): void {
    for (const builder of this.builders) builder.clear()
    this.#tenant = Buffer.from(`${tenant}\0`)
    this.#prefix.start()
    this.#prefix.add(this.#tenant, 0, this.#tenant.length)
    this.#received = receivedMicros
    this.#strictVersion = strictVersion
  }

  /** Encodes the event that `scanner` has just found in `body`, `size` bytes long; or says what is wrong with it. */
  encode(scanner: EventScanner, body: Uint8Array, size: number): EventProblem | undefined {
    const problem = this.#readSpans(scanner, body) ?? this.#checkVersion(scanner)
    if (problem) return problem
    const time = this.#time(scanner)
    if (typeof time !== 'number') return time
    const kind = this.#dataKind(scanner)
    if (typeof kind !== 'number') return kind

    const spans = this.#spans
    const hash = this.#hash
    const ordered = length(spans[subject]!) > 0 ? spans[subject]! : spans[source]!
    hash.startFrom(this.#prefix)
    hash.add(ordered.bytes, ordered.start, ordered.end)
    hash.finish()
    const builder = this.builders[hash.low % this.builders.length]!
    hash.startFrom(this.#prefix)
    hash.add(spans[source]!.bytes, spans[source]!.start, spans[source]!.end)
    hash.add(this.#tenant, this.#tenant.length - 1, this.#tenant.length)
    hash.add(spans[id]!.bytes, spans[id]!.start, spans[id]!.end)
    hash.finish()
    this.keyLow = hash.low
    this.keyHigh = hash.high

    const flags = scanner.kinds[attribute.time] === valueKind.string ? 0 : flagTimeAssigned
    const extensions = extensionObject(scanner, body)
    builder.beginRow(size + this.#tenant.length + 256, {
      keyLow: hash.low,
      keyHigh: hash.high,
      time,
      received: this.#received,
      kind,
      flags,
    })
    builder.string(this.#tenant, 0, this.#tenant.length - 1)
    for (const index of limited) {
      builder.string(spans[index]!.bytes, spans[index]!.start, spans[index]!.end)
    }
    builder.string(extensions, 0, extensions.length)
    const data = spans[kind === dataKind.binary ? attribute.data_base64 : attribute.data]!
    builder.string(data.bytes, data.start, data.end)
    builder.endRow()
    return undefined
  }

  /** Finds the bytes of every attribute and checks those that are names. */
  #readSpans(scanner: EventScanner, body: Uint8Array): EventProblem | undefined {
    if (scanner.problem) return scanner.problem
    for (let i = 0; i < attributes.length; i++) {
      const span = this.#spans[i]!
      const kind = scanner.kinds[i]!
      const given = kind !== valueKind.absent && kind !== valueKind.null
      if (span.bytes !== body) span.bytes = body
      span.start = given ? scanner.starts[i]! : 0
      span.end = given ? scanner.ends[i]! : 0
      if (!given || i === attribute.data) continue
      if (kind !== valueKind.string) return invalid(`${attributes[i]} is not a string`)
      if (scanner.escaped[i] === 1) decode(span, scanner)
    }
    for (const index of required)
      if (length(this.#spans[index]!) === 0) return invalid(`${attributes[index]} is missing or empty`)
    for (const index of limited) {
      const span = this.#spans[index]!
      if (length(span) > this.#limits.maxNameBytes)
        return invalid(`${attributes[index]} is longer than ${this.#limits.maxNameBytes} bytes`)
      if (length(span) > 0 && scanner.plain[index] === 0 && hasHidden(toText(span)))
        return invalid(`${attributes[index]} has a control or direction character`)
    }
    return undefined
  }

  #checkVersion(scanner: EventScanner): EventProblem | undefined {
    const span = this.#spans[attribute.specversion]!
    if (scanner.kinds[attribute.specversion] === valueKind.absent) {
      return this.#strictVersion ? invalid('specversion is missing') : undefined
    }
    const is10 =
      length(span) === 3 &&
      span.bytes[span.start] === 0x31 &&
      span.bytes[span.start + 1] === 0x2e &&
      span.bytes[span.start + 2] === 0x30
    return is10 ? undefined : invalid('specversion is not "1.0"')
  }

  #time(scanner: EventScanner): number | EventProblem {
    if (scanner.kinds[attribute.time] !== valueKind.string) return this.#received
    const span = this.#spans[attribute.time]!
    const time = parseTime(span.bytes, span.start, span.end)
    if (Number.isNaN(time))
      return { code: 'EVENT_TIME_OUT_OF_RANGE', detail: 'time is not an RFC 3339 instant from 1900 to 2299' }
    if (time > this.#received + this.#limits.maxAheadMicros) {
      return { code: 'EVENT_TIME_OUT_OF_RANGE', detail: 'time lies more than 24 hours in the future' }
    }
    return time
  }

  #dataKind(scanner: EventScanner): number | EventProblem {
    const kind = scanner.kinds[attribute.data]!
    const hasBinary = scanner.kinds[attribute.data_base64] === valueKind.string
    if (kind === valueKind.absent || kind === valueKind.null) {
      if (!hasBinary) return dataKind.none
      return base64.test(toText(this.#spans[attribute.data_base64]!))
        ? dataKind.binary
        : invalid('data_base64 is not base64')
    }
    if (hasBinary) return invalid('data and data_base64 are both given')
    const type = this.#spans[attribute.datacontenttype]!
    const span = this.#spans[attribute.data]!
    if (kind !== valueKind.string) return dataKind.json
    if (length(type) === 0 || isJsonType(toText(type))) {
      span.start-- // a JSON string is kept with its quotes
      span.end++
      return dataKind.json
    }
    if (scanner.escaped[attribute.data] === 1) decode(span, scanner)
    return dataKind.text
  }
}

const length = (span: Span): number => span.end - span.start
const invalid = (detail: string): EventProblem => ({ code: 'EVENT_INVALID', detail })

function toText({ bytes, start, end }: Span): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}

/** Replaces a span with the bytes that its escapes stand for. */
function decode(span: Span, scanner: EventScanner): void {
  span.bytes = Buffer.from(scanner.text(span.start - 1, span.end + 1))
  span.start = 0
  span.end = span.bytes.length
}

function extensionObject(scanner: EventScanner, body: Uint8Array): Uint8Array {
  if (scanner.extensions.length === 0) return nothing
  const members: string[] = []
  for (let i = 0; i < scanner.extensions.length; i += 2) {
    members.push(toText({ bytes: body, start: scanner.extensions[i]!, end: scanner.extensions[i + 1]! }))
  }
  return Buffer.from(`{${members.join(',')}}`)
}
