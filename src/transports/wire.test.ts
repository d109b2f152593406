import { type AppError, codeOf } from '@splitstream/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, type Encoded, encode, frameType, jsonType } from './wire.ts'

const received = ({ type, parts }: Encoded): unknown => decode(type, Buffer.concat(parts))

function failure(run: () => unknown): AppError {
  try {
    run()
  } catch (error) {
    return error as AppError
  }
  throw new Error('It did not fail')
}

describe('wire encoding', () => {
  it('gives back any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        // The one number that JSON changes.
        fc.pre(!JSON.stringify(value).includes('-0') && !Object.is(value, -0))
        expect(received(encode(value))).toStrictEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it('gives back any bytes in any member', () => {
    const member = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.jsonValue())
    fc.assert(
      fc.property(fc.dictionary(fc.string(), member), (value) => {
        const back = received(encode(value)) as Record<string, unknown>
        for (const [name, expected] of Object.entries(value)) {
          if (expected instanceof Uint8Array) expect([...(back[name] as Uint8Array)]).toEqual([...expected])
          else expect(JSON.stringify(back[name])).toBe(JSON.stringify(expected))
        }
      }),
    )
  })

  it('takes the frame only when there are bytes, and does not copy them', () => {
    const body = new Uint8Array(1_000)
    expect(encode({ a: 1 }).type).toBe(jsonType)
    const { type, parts, length } = encode({ body })
    expect(type).toBe(frameType)
    expect(parts.at(-1)).toBe(body)
    expect(length).toBe(parts.reduce((sum, part) => sum + part.length, 0))
  })

  it('takes bytes in a member called __proto__ as data', () => {
    const value = JSON.parse('{"__proto__":1,"a":2}')
    Object.defineProperty(value, '__proto__', { value: new Uint8Array([5]), enumerable: true })
    const back = received(encode(value)) as object
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(Object.keys(back).toSorted()).toEqual(['__proto__', 'a'])
  })

  class Row {
    readonly a = 1
  }
  const cycle: Record<string, unknown> = {}
  cycle.self = { cycle }
  const refused: [string, unknown, string][] = [
    ['a bigint', { a: { n: 1n } }, 'the value.a.n (bigint)'],
    ['a Date', { rows: [{ at: new Date(0) }] }, 'the value.rows[0].at (Date)'],
    ['a function', { f() {} }, 'the value.f (function)'],
    ['a symbol', [Symbol('s')], 'the value[0] (symbol)'],
    ['NaN', { a: [1, Number.NaN] }, 'the value.a[1] (NaN)'],
    ['Infinity', { a: -1 / 0 }, 'the value.a (-Infinity)'],
    ['undefined in an array', { a: [undefined] }, 'the value.a[0] (undefined)'],
    ['a hole in an array', { a: new Array(2) }, 'the value.a (an array with holes)'],
    ['a Map', { m: new Map() }, 'the value.m (Map)'],
    ['a class', { row: new Row() }, 'the value.row (Row)'],
    ['an error', new Error('x'), 'the value (Error)'],
    ['bytes below the top', { a: { body: new Uint8Array(1) } }, 'the value.a.body (Uint8Array)'],
    ['bytes at the top', new Uint8Array(1), 'the value (Uint8Array)'],
    ['other views', { a: new Float64Array(1) }, 'the value.a (Float64Array)'],
    ['toJSON', { a: { toJSON: () => 1 } }, 'the value.a.toJSON (function)'],
    ['itself', cycle, 'the value is nested too deeply, or contains itself'],
  ]
  it.each(refused)('refuses %s and names it', (_, value, place) => {
    const error = failure(() => encode(value))
    expect(codeOf(error)).toBe('INTERNAL')
    expect(error.message).toContain(place)
  })

  it('names a bad member beside bytes', () => {
    expect(failure(() => encode({ body: new Uint8Array(1), n: 1n })).message).toContain('the value.n (bigint)')
  })

  const frame = (json: string, rest = '', length = json.length): Buffer => {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(length)
    return Buffer.concat([head, Buffer.from(json + rest)])
  }
  const broken: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['less than a head', Buffer.alloc(3)],
    ['a length beyond the end', frame('[[],{}]', '', 1_000)],
    ['the largest length', frame('[[],{}]', '', 2 ** 32 - 1)],
    ['no JSON', frame('[[],{')],
    ['no list', frame('{}')],
    ['no value', frame('[[]]')],
    ['a value that is no object', frame('[[["a",0]],1]')],
    ['a length that is none', frame('[[["a",-1]],{}]')],
    ['a fraction as length', frame('[[["a",0.5]],{}]', 'x')],
    ['a name that is none', frame('[[[1,1]],{}]', 'x')],
    ['too few bytes', frame('[[["a",5]],{}]', 'four')],
    ['too many bytes', frame('[[["a",3]],{}]', 'four')],
  ]
  it.each(broken)('does not take a frame of %s', (_, body) => {
    expect(codeOf(failure(() => decode(frameType, body)))).toBe('BODY_MALFORMED')
  })

  it('does not take other media types, nor what is no JSON', () => {
    expect(codeOf(failure(() => decode('text/plain', Buffer.from('1'))))).toBe('MEDIA_TYPE_UNSUPPORTED')
    expect(codeOf(failure(() => decode(jsonType, Buffer.from('{'))))).toBe('BODY_MALFORMED')
  })
})
