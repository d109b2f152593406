import { isUtf8 } from 'node:buffer'
import { AppError, slotOf } from '@splitstream/kernel'
import type { ItemError } from '../contract/index.ts'
import type { EventEncoder } from './event-encoder.ts'
import { EventScanner } from './scanner.ts'

export interface BatchLimits {
  readonly maxEvents: number
  readonly maxEventBytes: number
}

export interface Batch {
  readonly accepted: number
  readonly rejected: number
  /** The same (tenant, source, id) as an earlier event of the batch; accepted, and stored once. */
  readonly duplicates: number
  /** The first of those, by their index. */
  readonly repeated: readonly number[]
  /** The first of those rejected. */
  readonly errors: readonly ItemError[]
}

/** What a JSON body is by its media type. */
export type JsonForm = 'event' | 'batch' | 'either'

/** Of the events that were rejected, and of those repeated, so many are listed; all are counted. */
const maxListed = 1000
const newline = 0x0a

/** Reads the events of a body in one of its two forms into the encoder's records. */
export class BatchReader {
  readonly #scanner = new EventScanner()
  readonly #encoder: EventEncoder
  readonly #limits: BatchLimits
  #accepted = 0
  #rejected = 0
  #duplicates = 0
  #repeated: number[] = []
  #errors: ItemError[] = []
  /** Open addressing over the keys of this batch, two elements a slot. */
  #keys = new Uint32Array(0)
  /** Of slotOf, for so many slots. */
  #shift = 31

  constructor(encoder: EventEncoder, limits: BatchLimits) {
    this.#encoder = encoder
    this.#limits = limits
  }

  /** One event a line; a bad line costs only itself. */
  lines(body: Uint8Array): Batch {
    this.#begin(body)
    const whole = body.lastIndexOf(newline) + 1
    this.#scanner.reset(body, false)
    for (let start = 0; start < whole; ) start = this.#line(body, start)
    if (whole < body.length) {
      // The scanner stops at a newline, and not at the end of a view: the last line has none, and is given one.
      const last = Buffer.concat([body.subarray(whole), Buffer.from('\n')])
      this.#scanner.reset(last, false)
      this.#line(last, 0)
    }
    return this.#result()
  }

  /** Reads the line at `start`. Returns where the next one begins. */
  #line(body: Uint8Array, start: number): number {
    const scanner = this.#scanner
    const p = scanner.skipSpace(start)
    if (body[p] === newline) return p + 1
    this.#countEvent()
    const next = scanner.scan(p)
    if (next < 0) {
      const { code, detail } = scanner.problem!
      this.#reject(code, `${detail}, at byte ${scanner.at - start} of the line`)
      return body.indexOf(newline, p) + 1
    }
    const end = scanner.skipSpace(next)
    if (body[end] === newline) this.#take(body, p, next)
    else this.#reject('EVENT_MALFORMED', 'the line goes on after the event')
    return body[end] === newline ? end + 1 : body.indexOf(newline, end) + 1
  }

  /**
   * A JSON array of events, or one event.
   * @throws AppError BODY_MALFORMED or BODY_TOO_DEEP: after a mistake of grammar nobody can say where the next event begins
   */
  json(body: Uint8Array, form: JsonForm): Batch {
    this.#begin(body)
    const scanner = this.#scanner
    scanner.reset(body, true)
    let p = scanner.skipSpace(0)
    const isArray = body[p] === 0x5b
    if (!isArray && body[p] !== 0x7b) throw new AppError('BODY_MALFORMED', 'The body is not a JSON object or array')
    checkForm(isArray, form)
    if (isArray) p = scanner.skipSpace(p + 1)
    if (isArray && body[p] === 0x5d) throw new AppError('BODY_EMPTY', 'The batch has no events')
    for (;;) {
      this.#countEvent()
      const next = scanner.scan(p)
      if (next < 0) throw malformed(scanner)
      this.#take(body, p, next)
      p = scanner.skipSpace(next)
      if (!isArray) break
      if (body[p] === 0x5d) {
        p = scanner.skipSpace(p + 1)
        break
      }
      if (body[p] !== 0x2c)
        throw new AppError('BODY_MALFORMED', `The body is not valid JSON: expected , or ] at byte ${p}`)
      p = scanner.skipSpace(p + 1)
    }
    if (p !== body.length) throw new AppError('BODY_MALFORMED', `The body goes on after the JSON value, at byte ${p}`)
    return this.#result()
  }

  #begin(body: Uint8Array): void {
    if (!isUtf8(body)) throw new AppError('BODY_MALFORMED', 'The body is not valid UTF-8')
    this.#accepted = this.#rejected = this.#duplicates = 0
    this.#repeated = []
    this.#errors = []
    // An event with its three required members has at least 30 bytes.
    const bits = Math.ceil(Math.log2(Math.min(this.#limits.maxEvents, body.length / 30 + 1) * 2))
    this.#shift = 32 - bits
    if (this.#keys.length === 2 ** bits * 2) this.#keys.fill(0)
    else this.#keys = new Uint32Array(2 ** bits * 2)
  }

  #countEvent(): void {
    if (this.#accepted + this.#rejected >= this.#limits.maxEvents) {
      throw new AppError('BATCH_TOO_LARGE', `More than ${this.#limits.maxEvents} events in one request`)
    }
  }

  #take(body: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (size > this.#limits.maxEventBytes) {
      return this.#reject('EVENT_TOO_LARGE', `the event has ${size} bytes; the limit is ${this.#limits.maxEventBytes}`)
    }
    const problem = this.#encoder.encode(this.#scanner, body, size)
    if (problem) return this.#reject(problem.code, problem.detail)
    if (this.#isRepeated(this.#encoder.keyLow, this.#encoder.keyHigh)) this.#repeat()
    this.#accepted++
  }

  #repeat(): void {
    if (this.#repeated.length < maxListed) this.#repeated.push(this.#accepted + this.#rejected)
    this.#duplicates++
  }

  #reject(code: string, detail: string): void {
    if (this.#errors.length < maxListed) this.#errors.push({ index: this.#accepted + this.#rejected, code, detail })
    this.#rejected++
  }

  #isRepeated(low: number, high: number): boolean {
    const keys = this.#keys
    const mask = keys.length / 2 - 1
    if (low === 0 && high === 0) low = 1
    for (let slot = slotOf(low, high, this.#shift); ; slot = (slot + 1) & mask) {
      const l = keys[slot * 2]
      const h = keys[slot * 2 + 1]
      if (l === low && h === high) return true
      if (l === 0 && h === 0) {
        keys[slot * 2] = low
        keys[slot * 2 + 1] = high
        return false
      }
    }
  }

  #result(): Batch {
    if (this.#accepted + this.#rejected === 0) throw new AppError('BODY_EMPTY', 'The batch has no events')
    return {
      accepted: this.#accepted,
      rejected: this.#rejected,
      duplicates: this.#duplicates,
      repeated: this.#repeated,
      errors: this.#errors,
    }
  }
}

/** @throws AppError BODY_MALFORMED: sender and receiver would disagree on what the body is */
function checkForm(isArray: boolean, form: JsonForm): void {
  if (isArray && form === 'event') {
    throw new AppError(
      'BODY_MALFORMED',
      'application/cloudevents+json is one event; send an array as application/cloudevents-batch+json',
    )
  }
  if (!isArray && form === 'batch') {
    throw new AppError(
      'BODY_MALFORMED',
      'application/cloudevents-batch+json is an array; send one event as application/cloudevents+json',
    )
  }
}

function malformed(scanner: EventScanner): AppError {
  const { code, detail } = scanner.problem!
  const text = `The body is not valid JSON: ${detail} at byte ${scanner.at}`
  return code === 'EVENT_TOO_DEEP' ? new AppError('BODY_TOO_DEEP', text) : new AppError('BODY_MALFORMED', text)
}
