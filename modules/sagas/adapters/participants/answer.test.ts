import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readBody } from './answer.ts'

const read = (body: string | Uint8Array, type = 'application/json', more: Record<string, string> = {}) =>
  readBody(type === '' ? more : { 'content-type': type, ...more }, Buffer.from(body as string))
const unusable = (why: string) => ({ unusable: expect.stringContaining(why) })
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('a body', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON;charset="UTF-8"',
    'application/problem+json',
  ])('of the type %s is JSON', (type) =>
    expect(read('{"a":[1,null,"ü"]}', type)).toEqual({ body: { a: [1, null, 'ü'] } }),
  )

  it.each(['text/plain', 'text/html; charset=utf-8', '', 'application/x-ndjson', 'application/jsonp', 'text/json-ish'])(
    'of the type %j is text',
    (type) => expect(read('{"a":1}', type)).toEqual({ body: '{"a":1}' }),
  )

  it('is text in the charset that its type names', () => {
    expect(read(Uint8Array.of(0xfc), 'text/plain; charset=iso-8859-1')).toEqual({ body: 'ü' })
    expect(read(Uint8Array.of(0xfc, 0), 'text/plain; charset=utf-16le')).toEqual({ body: 'ü' })
  })

  it('is absent when it is empty, whatever its type', () => {
    expect(read('')).toEqual({})
    expect(read('', 'text/plain', { 'content-encoding': 'gzip' })).toEqual({})
  })

  it('may begin with a byte order mark', () => {
    expect(read('\ufeff{"a":1}')).toEqual({ body: { a: 1 } })
  })

  it.each(['', '{', '{"a":1}x', "{'a':1}", 'undefined', 'NaN', '<html>', '{"a":1,}', '"\n"', '\u0000'].filter(Boolean))(
    'that says JSON and is %j cannot be used',
    (text) => expect(read(text)).toEqual(unusable('not JSON')),
  )

  it('that is not the text it says cannot be used', () => {
    expect(read(Uint8Array.of(0x22, 0xff, 0x22))).toEqual(unusable('not text in utf-8'))
    expect(read(Uint8Array.of(0xff), 'text/plain')).toEqual(unusable('not text in utf-8'))
    expect(read('{}', 'application/json; charset=iso-8859-1')).toEqual(unusable('not text in utf-8'))
    expect(read('x', 'text/plain; charset=no-such')).toEqual(unusable('not text in no-such'))
    expect(read('x', 'text/plain', { 'content-encoding': 'GZIP' })).toEqual(unusable('encoded (gzip)'))
    expect(read('x', 'text/plain', { 'content-encoding': 'identity' })).toEqual({ body: 'x' })
  })

  it('may be 64 levels deep', () => {
    expect(read(nested(64))).toHaveProperty('body')
    expect(read(nested(65))).toEqual(unusable('more than 64 levels'))
    expect(read(nested(500_000))).toEqual(unusable('more than 64 levels'))
    expect(read(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)).toEqual(unusable('more than 64 levels'))
    expect(read(JSON.stringify('['.repeat(1_000)))).toHaveProperty('body')
    expect(read(JSON.stringify(`"\\${'['.repeat(1_000)}`))).toHaveProperty('body')
    expect(read(JSON.stringify(Array.from({ length: 1_000 }, () => [{}])))).toHaveProperty('body')
  })

  it('keeps integers that a double cannot hold, as text', () => {
    expect(read('{"id":9007199254740993,"n":-12345678901234567890,"s":"9007199254740993"}')).toEqual({
      body: { id: '9007199254740993', n: '-12345678901234567890', s: '9007199254740993' },
    })
    expect(read('[9007199254740991,0.1234567890123456789,1e20,-0]')).toEqual({
      body: [9007199254740991, 0.12345678901234568, 1e20, -0],
    })
    expect(read('{"a":[1e999]}')).toEqual(unusable('1e999, which is too large'))
    expect(read(`{"a":${'9'.repeat(400)}}`)).toEqual(unusable('which is too large'))
  })

  it('has no say about prototypes', () => {
    const { body } = read('{"__proto__":{"admin":true},"id":9007199254740993}')
    expect(Object.hasOwn(body as object, '__proto__')).toBe(true)
    expect((body as { admin?: boolean }).admin).toBeUndefined()
  })

  it('is what was written, for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        const { body } = read(text)
        // Large whole numbers are the one exception.
        if (!/\d{16}/.test(text)) expect(JSON.stringify(body)).toBe(text)
      }),
    )
  })
})
