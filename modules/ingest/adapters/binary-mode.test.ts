import type { RouteRequest } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { binaryToJson } from './binary-mode.ts'

const required = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }
const request = (headers: Record<string, string | string[]>, body: string | Buffer = ''): RouteRequest => ({
  params: {},
  query: {},
  headers: { host: 'localhost', 'x-ce-other': '1', ...required, ...headers },
  mediaType: 'application/octet-stream',
  body: Buffer.from(body),
})
const textOf = (...given: Parameters<typeof request>): string => Buffer.from(binaryToJson(request(...given))).toString()
const eventOf = (...given: Parameters<typeof request>): Record<string, unknown> => JSON.parse(textOf(...given))

describe('the value of a ce- header', () => {
  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['%41%6a%6A', 'Ajj'],
    ['100%25', '100%'],
    ['%2541', '%41'],
    ['a b', 'a b'],
    ['"a b"', 'a b'],
    ['""', ''],
    ['"a \\"quoted\\" \\\\ text"', 'a "quoted" \\ text'],
    ['"%E2%82%AC"', '€'],
    ['%22a%22', '"a"'],
    ['a"b"', 'a"b"'],
  ])('%s is %j', (value, subject) => {
    expect(eventOf({ 'ce-subject': value })).toMatchObject({ subject })
  })

  it.each([
    ['100%', 'is not percent-encoded UTF-8'],
    ['%C0%A0', 'is not percent-encoded UTF-8'],
    ['%ed%a0%80', 'is not percent-encoded UTF-8'],
    // As Node gives the bytes of an ü in UTF-8 and in Latin-1.
    ['Ã¼', 'is not printable ASCII'],
    ['ü', 'is not printable ASCII'],
    ['a\tb', 'is not printable ASCII'],
    ['"a', 'is not one quoted string'],
    ['"', 'is not one quoted string'],
    ['"a" "b"', 'is not one quoted string'],
    ['"a\\"', 'is not one quoted string'],
  ])('%j is refused: it %s', (value, reason) => {
    const refused = expect.objectContaining({ code: 'HEADER_INVALID', message: expect.stringContaining(reason) })
    expect(() => binaryToJson(request({ 'ce-subject': value }))).toThrow(refused)
  })
})

describe('binary mode', () => {
  it.each(['data', 'data_base64', 'datacontenttype'])('has no ce-%s', (name) => {
    const refused = expect.objectContaining({ code: 'HEADER_INVALID', message: expect.stringContaining(`ce-${name}`) })
    expect(() => binaryToJson(request({ [`ce-${name}`]: '1', 'content-type': 'application/json' }, '{}'))).toThrow(
      refused,
    )
  })

  it('loses no header: what is no attribute name is left to the reader of the event', () => {
    expect(textOf({ 'ce-__proto__': 'x', 'ce-': 'y' })).toContain('"__proto__":"x","":"y"')
  })

  it.each([
    ['application/json', '{"a":1}', { data: { a: 1 } }],
    ['Application/JSON ; charset=utf-8', '[1]', { data: [1] }],
    ['application/vnd.a+json', '1', { data: 1 }],
    ['text/json', '"x"', { data: 'x' }],
    ['text/plain', 'x', { data: 'x' }],
    ['application/json-seq', '{"a":1}', { data_base64: 'eyJhIjoxfQ==' }],
    ['application/jsonl', '{"a":1}', { data_base64: 'eyJhIjoxfQ==' }],
    ['application/geo+json-seq', '\u001e{}\n', { data_base64: 'Hnt9Cg==' }],
    ['application/json.v2', '{}', { data_base64: 'e30=' }],
  ])('takes a body of %s for what it is', (type, body, data) => {
    const attributes = { specversion: '1.0', id: '1', source: '/s', type: 't', datacontenttype: type }
    expect(eventOf({ 'content-type': type }, body)).toEqual({ ...attributes, ...data })
  })

  it('refuses a Content-Type beyond ASCII', () => {
    const refused = expect.objectContaining({ code: 'HEADER_INVALID' })
    expect(() => binaryToJson(request({ 'content-type': 'text/plain; title=Ã¼' }, 'x'))).toThrow(refused)
  })
})
