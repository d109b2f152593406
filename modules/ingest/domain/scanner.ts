import { fitsDouble } from '../contract/index.ts'
import { type Attribute, attributeOf, attributes, endOfName } from './attributes.ts'
import { NameFilter } from './name-filter.ts'
import { hasHidden, stringAt } from './plain-text.ts'
import { repeatedName } from './repeated-name.ts'

/**
 * One pass over the bytes of a JSON event: checks the whole grammar (RFC 8259), the nesting, the names, the numbers and the
 * escapes, and notes where the CloudEvents attributes lie. It makes no objects and copies nothing; `data` stays the bytes that
 * came. The caller has checked that the bytes are UTF-8.
 *
 * States of `scan`: outside → member name → value (an attribute's, noted; or any, skipped) → after value → … → end.
 * Inside a skipped value the containers are a stack of bits (1: object), which also bounds the depth.
 *
 * A mistake of grammar ends the scan (-1; `code`, `detail`, `at`). A mistake of meaning is kept as the event's first
 * problem and the scan goes on, because the rest of a batch must still be found.
 */
export const maxDepth = 32
const maxKeys = 10_000

export interface Problem {
  readonly code: 'EVENT_MALFORMED' | 'EVENT_TOO_DEEP' | 'EVENT_NUMBER_UNSAFE' | 'EVENT_INVALID'
  readonly detail: string
}

/** What kind of JSON value an attribute has. */
export const valueKind = { absent: 0, string: 1, number: 2, literal: 3, container: 4, null: 5 } as const

const maxExtensions = 64

export class EventScanner {
  /** Start and end of each attribute's value; strings without their quotes. Index: `attributes[name]`. */
  readonly starts = new Int32Array(attributes.length)
  readonly ends = new Int32Array(attributes.length)
  readonly kinds = new Uint8Array(attributes.length)
  /** 1 when the string has escapes and must be decoded. */
  readonly escaped = new Uint8Array(attributes.length)
  /** 1 when all of the string is printable ASCII and stands for itself. */
  readonly plain = new Uint8Array(attributes.length)
  /** Raw `"name":value` spans of extension attributes: pairs of start and end. */
  readonly extensions: number[] = []
  problem: Problem | undefined
  /** Place of the mistake after a scan that returned -1. */
  at = 0

  #bytes: Uint8Array = new Uint8Array(0)
  #multiline = false
  #hasEscape = false
  /** The string has bytes that are not ASCII, or a DEL. */
  #hasOther = false
  /** Which attribute came after which in the last event, after none at the end: those of one sender have the same order. */
  readonly #following = new Uint8Array(attributes.length + 1)
  #last: number = attributes.length
  /** Names of members within data, and of extension attributes; the other attributes have a place in `kinds`. */
  readonly #names = new NameFilter()
  /** Objects within data so far, and by depth the number of the one that is open there. */
  #objects = 0
  readonly #owners = new Int32Array(maxDepth + 1)

  /** @param multiline false: a newline ends the text (NDJSON), so that a bad line never runs into the next one */
  reset(bytes: Uint8Array, multiline: boolean): void {
    this.#bytes = bytes
    this.#multiline = multiline
  }

  skipSpace(p: number): number {
    const bytes = this.#bytes
    for (;;) {
      const c = bytes[p]!
      if (c > 0x20) return p
      if (c === 0x20 || c === 0x09 || c === 0x0d || (c === 0x0a && this.#multiline)) p++
      else return p
    }
  }

  /** Scans the value at `p`, which should be an event object. Returns the place after it, or -1. */
  scan(p: number): number {
    this.problem = undefined
    for (let i = 0; i < attributes.length; i++) this.kinds[i] = valueKind.absent
    // To set a length calls the runtime, also when it is what it was.
    if (this.extensions.length > 0) this.extensions.length = 0
    this.#objects = 0
    this.#last = attributes.length
    this.#names.begin(this.#bytes)
    if (this.#bytes[p] !== 0x7b) {
      this.#note('EVENT_INVALID', 'an event is a JSON object')
      return this.#skipValue(p, 0)
    }
    const start = p
    p = this.skipSpace(p + 1)
    if (this.#bytes[p] === 0x7d) return p + 1
    for (;;) {
      p = this.#member(p)
      if (p < 0) return -1
      p = this.skipSpace(p)
      const c = this.#bytes[p]
      if (c === 0x7d) {
        if (this.#names.count > maxKeys - attributes.length) this.#checkCount()
        if (this.#names.mayRepeat) this.#checkNames(start, p + 1)
        return p + 1
      }
      if (c !== 0x2c) return this.#bad(p, 'expected , or }')
      p = this.skipSpace(p + 1)
    }
  }

  /** `"name": value` of the event object. */
  #member(p: number): number {
    const bytes = this.#bytes
    const nameStart = p
    let index = this.#following[this.#last]!
    let isEscaped = false
    p = endOfName(bytes, p, index)
    if (p < 0) {
      p = nameStart
      if (bytes[p] !== 0x22) return this.#bad(p, 'expected a member name')
      this.#hasEscape = false
      p = this.#skipString(p)
      if (p < 0) return -1
      isEscaped = this.#hasEscape
      index = isEscaped
        ? attributes.indexOf(this.text(nameStart, p) as Attribute)
        : attributeOf(bytes, nameStart + 1, p - 1)
      if (index >= 0) this.#following[this.#last] = index
    }
    if (index >= 0) this.#last = index
    const nameEnd = p
    p = this.skipSpace(p)
    if (bytes[p] !== 0x3a) return this.#bad(p, 'expected :')
    p = this.skipSpace(p + 1)
    const c = bytes[p]
    const start = p
    this.#hasEscape = false
    this.#hasOther = false
    const end = c === 0x22 ? this.#skipString(p) : this.#skipValue(p, 1)
    if (end < 0) return -1
    const kind = kindOf(c!)
    if (index >= 0) {
      if (this.kinds[index] !== valueKind.absent) this.#note('EVENT_INVALID', `${attributes[index]} is given twice`)
      const quotes = kind === valueKind.string ? 1 : 0
      this.starts[index] = start + quotes
      this.ends[index] = end - quotes
      this.kinds[index] = kind
      this.escaped[index] = this.#hasEscape ? 1 : 0
      this.plain[index] = this.#hasEscape || this.#hasOther ? 0 : 1
    } else {
      // A null is no attribute, but its name is taken.
      this.#names.add(nameStart, nameEnd, 0)
      if (isEscaped) this.#names.mayRepeat = true
      if (kind !== valueKind.null) this.#extension(nameStart, nameEnd, kind, start, end)
    }
    return end
  }

  #extension(nameStart: number, nameEnd: number, kind: number, start: number, end: number): void {
    if (this.extensions.length >= 2 * maxExtensions) {
      this.#note('EVENT_INVALID', `more than ${maxExtensions} extension attributes`)
      return
    }
    if (!this.#isAttributeName(nameStart, nameEnd)) {
      const name = quoted(this.text(nameStart, nameEnd))
      this.#note('EVENT_INVALID', `${name} is not an attribute name: 1 to 64 lower-case letters and digits`)
    } else if (kind === valueKind.container) {
      const name = this.text(nameStart, nameEnd)
      this.#note('EVENT_INVALID', `the extension attribute ${name} is not a string, number or boolean`)
    } else if (kind === valueKind.string && (this.#hasEscape || this.#hasOther)) {
      if (hasHidden(this.text(start, end))) {
        const name = this.text(nameStart, nameEnd)
        this.#note('EVENT_INVALID', `the extension attribute ${name} has a control or direction character`)
      }
    }
    this.extensions.push(nameStart, end)
  }

  #isAttributeName(start: number, end: number): boolean {
    const bytes = this.#bytes
    let p = start + 1
    for (let c = bytes[p]!; (c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39); c = bytes[++p]!);
    const isPlainName = p === end - 1 && p > start + 1 && p - start <= 65
    return isPlainName || /^[a-z0-9]{1,64}$/.test(this.text(start, end))
  }

  /** The decoded JSON string between two quotes (inclusive). */
  text(start: number, end: number): string {
    return stringAt(this.#bytes, start, end)
  }

  /** Skips a value that lies `depth` containers deep. */
  #skipValue(p: number, depth: number): number {
    const bytes = this.#bytes
    const base = depth
    let stack = 0 // bit i: the container at depth i + 1 is an object
    for (;;) {
      const c = bytes[p]!
      if (c === 0x7b || c === 0x5b) {
        if (depth >= maxDepth) {
          this.at = p
          this.problem = { code: 'EVENT_TOO_DEEP', detail: `more than ${maxDepth} levels` }
          return -1
        }
        const bit = 1 << depth++
        stack = c === 0x7b ? stack | bit : stack & ~bit
        p = this.skipSpace(p + 1)
        if (bytes[p] === c + 2) {
          p++ // } or ]: both lie two after their opening
          depth--
        } else {
          if (c === 0x7b) {
            this.#owners[depth] = ++this.#objects
            p = this.#memberName(p, this.#objects)
            if (p < 0) return -1
          }
          continue
        }
      } else if (c === 0x22) {
        p = this.#skipString(p)
        if (p < 0) return -1
      } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
        p = this.#skipNumber(p)
        if (p < 0) return -1
      } else {
        p = this.#skipLiteral(p, c)
        if (p < 0) return -1
      }
      // After a value: close containers, or go on to the next value.
      for (;;) {
        if (depth === base) return p
        p = this.skipSpace(p)
        const isObject = (stack & (1 << (depth - 1))) !== 0
        const next = bytes[p]
        if (next === 0x2c) {
          p = this.skipSpace(p + 1)
          if (isObject) {
            p = this.#memberName(p, this.#owners[depth]!)
            if (p < 0) return -1
          }
          break
        }
        if (next !== (isObject ? 0x7d : 0x5d)) return this.#bad(p, isObject ? 'expected , or }' : 'expected , or ]')
        p++
        depth--
      }
    }
  }

  /** `"name":` and the space around, of object number `owner`; returns the place of the value. */
  #memberName(p: number, owner: number): number {
    if (this.#bytes[p] !== 0x22) return this.#bad(p, 'expected a member name')
    const start = p
    this.#hasEscape = false
    p = this.#skipString(p)
    if (p < 0) return -1
    this.#names.add(start, p, owner)
    if (this.#hasEscape) this.#names.mayRepeat = true
    p = this.skipSpace(p)
    if (this.#bytes[p] !== 0x3a) return this.#bad(p, 'expected :')
    return this.skipSpace(p + 1)
  }

  #checkCount(): void {
    let count = this.#names.count
    for (const kind of this.kinds) if (kind !== valueKind.absent) count++
    if (count > maxKeys) this.#note('EVENT_INVALID', `more than ${maxKeys} members`)
  }

  /** The event is at `start … end`. */
  #checkNames(start: number, end: number): void {
    if (this.problem) return
    const name = repeatedName(this.#bytes, start, end)
    if (name !== undefined) this.#note('EVENT_INVALID', `${quoted(name)} is given twice in one object`)
  }

  #skipString(p: number): number {
    const bytes = this.#bytes
    for (p++; ; p++) {
      const c = bytes[p]!
      if (c === 0x22) return p + 1
      if (c === 0x5c) {
        this.#hasEscape = true
        p = this.#skipEscape(p)
        if (p < 0) return -1
      } else if (c >= 0x7f) this.#hasOther = true
      else if (!(c >= 0x20)) return this.#bad(p, 'a string is not closed or has a raw control character')
    }
  }

  /** Returns the last byte of the escape at `p`. */
  #skipEscape(p: number): number {
    const c = this.#bytes[p + 1]
    if (c !== 0x75) {
      const known =
        c === 0x22 || c === 0x5c || c === 0x2f || c === 0x62 || c === 0x66 || c === 0x6e || c === 0x72 || c === 0x74
      return known ? p + 1 : this.#bad(p, 'an unknown escape')
    }
    const unit = this.#hex4(p + 2)
    if (unit < 0) return this.#bad(p, 'a \\u escape needs four hexadecimal digits')
    if (unit < 0xd800 || unit > 0xdfff) return p + 5
    const low = this.#bytes[p + 6] === 0x5c && this.#bytes[p + 7] === 0x75 ? this.#hex4(p + 8) : -1
    if (unit <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) return p + 11
    this.#note('EVENT_INVALID', 'a lone surrogate escape is not text')
    return p + 5
  }

  #hex4(p: number): number {
    let value = 0
    for (let i = p; i < p + 4; i++) {
      const c = this.#bytes[i]!
      const digit =
        c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1
      if (digit < 0) return -1
      value = value * 16 + digit
    }
    return value
  }

  #skipNumber(start: number): number {
    const bytes = this.#bytes
    let p = bytes[start] === 0x2d ? start + 1 : start
    const first = p
    if (bytes[p] === 0x30) p++
    else {
      p = this.#skipDigits(p)
      if (p === first) return this.#bad(p, 'expected a digit')
    }
    const digits = p - first
    if (bytes[p] === 0x2e) {
      const from = p + 1
      p = this.#skipDigits(from)
      if (p === from) return this.#bad(p, 'expected a digit')
    }
    // Few numbers can be beyond a double: those with an exponent, many digits, or many zeros after the point.
    let doubtful = digits >= 16 || p - first > 300
    if (bytes[p] === 0x65 || bytes[p] === 0x45) {
      doubtful = true
      p++
      if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++
      const from = p
      p = this.#skipDigits(from)
      if (p === from) return this.#bad(p, 'expected a digit')
    }
    if (doubtful) this.#checkNumber(start, p)
    return p
  }

  #skipDigits(p: number): number {
    for (let c = this.#bytes[p]!; c >= 0x30 && c <= 0x39; c = this.#bytes[p]!) p++
    return p
  }

  #checkNumber(start: number, end: number): void {
    const { buffer, byteOffset } = this.#bytes
    if (!fitsDouble(Buffer.from(buffer, byteOffset + start, end - start).toString('latin1'))) {
      this.#note('EVENT_NUMBER_UNSAFE', 'a number is beyond what a double holds exactly; send it as a string')
    }
  }

  #skipLiteral(p: number, c: number): number {
    const bytes = this.#bytes
    if (c === 0x74 && bytes[p + 1] === 0x72 && bytes[p + 2] === 0x75 && bytes[p + 3] === 0x65) return p + 4
    if (c === 0x6e && bytes[p + 1] === 0x75 && bytes[p + 2] === 0x6c && bytes[p + 3] === 0x6c) return p + 4
    const isFalse = c === 0x66 && bytes[p + 1] === 0x61 && bytes[p + 2] === 0x6c && bytes[p + 3] === 0x73
    if (isFalse && bytes[p + 4] === 0x65) return p + 5
    return this.#bad(p, 'expected a value')
  }

  #note(code: Problem['code'], detail: string): void {
    this.problem ??= { code, detail }
  }

  #bad(p: number, detail: string): -1 {
    this.at = p
    this.problem = { code: 'EVENT_MALFORMED', detail }
    return -1
  }
}

function kindOf(c: number): number {
  if (c === 0x22) return valueKind.string
  if (c === 0x7b || c === 0x5b) return valueKind.container
  if (c === 0x6e) return valueKind.null
  return c === 0x74 || c === 0x66 ? valueKind.literal : valueKind.number
}

/** A name of the event in a text that people read. */
const quoted = (name: string): string => JSON.stringify(name.slice(0, 64))
