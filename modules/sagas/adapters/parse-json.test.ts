import { describe, expect, it } from 'vitest'
import { parseJson } from './parse-json.ts'

const parse = (text: string) => parseJson(Buffer.from(text))

describe('the JSON of a body', () => {
  it.each(['{"a":[1,2.5,-3e2],"b":"12345678901234567890","c":"1e999","d\\"":null}', '"\\u0000 9007199254740993"', '0'])(
    '%s is taken as it is',
    (text) => expect(parse(text)).toEqual(JSON.parse(text)),
  )

  it('has no -0: what is kept has none', () => {
    expect(parse('{"a":[-0, -0.0, "-0"]}')).toEqual({ a: [0, 0, '-0'] })
    expect(Object.is((parse('[-0]') as number[])[0], 0)).toBe(true)
  })

  it.each([
    ['', 'BODY_EMPTY'],
    ['{', 'BODY_MALFORMED'],
    ['"\ud800"', undefined],
    ['{"a":9007199254740993}', 'REQUEST_INVALID'],
    ['[1e999]', 'REQUEST_INVALID'],
    [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, 'BODY_TOO_DEEP'],
    [`${'{"a":'.repeat(300)}1${'}'.repeat(300)}`, 'BODY_TOO_DEEP'],
  ])('%# gives %s', (text, code) => {
    if (code === undefined) return expect(parse(text)).toBe('\ufffd')
    expect(() => parse(text)).toThrow(expect.objectContaining({ code }) as Error)
  })

  it('is UTF-8', () => {
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(
      expect.objectContaining({ code: 'BODY_MALFORMED' }) as Error,
    )
  })

  it('with long texts and many numbers takes no time', () => {
    const text = JSON.stringify({
      text: 'x\\"'.repeat(20_000),
      numbers: Array.from({ length: 10_000 }, (_, i) => i / 7),
    })
    const from = performance.now()
    for (let i = 0; i < 20; i++) parse(text)
    expect(performance.now() - from).toBeLessThan(2_000)
  })
})
