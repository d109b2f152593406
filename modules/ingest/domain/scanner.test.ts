import { describe, expect, it } from 'vitest'
import { EventScanner } from './scanner.ts'

/* What is refused for its meaning, and the limits. Grammar and attributes: test/system/bad-events.test.ts. */

const scanner = new EventScanner()

/** The problem of one event, or undefined. A newline follows, as in NDJSON. */
function problemOf(text: string): string | undefined {
  const bytes = Buffer.from(`${text}\n`)
  scanner.reset(bytes, false)
  const end = scanner.scan(0)
  expect(end, scanner.problem?.detail).toBe(bytes.length - 1)
  return scanner.problem && `${scanner.problem.code}: ${scanner.problem.detail}`
}
const event = (members: string): string => `{"id":"1","source":"/s","type":"t",${members}}`
const names = (count: number, value = '0'): string =>
  Array.from({ length: count }, (_, i) => `"n${i.toString(36)}":${value}`).join(',')

describe('a name that an object has twice', () => {
  it.each([
    ['in data', '"data":{"a":1,"a":2}', 'a'],
    ['with equal values', '"data":{"a":1,"a":1}', 'a'],
    ['that is empty', '"data":{"":1,"":2}', ''],
    ['of three bytes', '"data":{"abc":1,"abd":2,"abc":3}', 'abc'],
    ['beyond ASCII', '"data":{"ü€":1,"ü€":2}', 'ü€'],
    ['below arrays', '"data":[[{"b":1},{"a":1,"b":{"c":1,"c":2}}]]', 'c'],
    ['with objects between', '"data":{"a":{"b":1},"c":{"d":{"e":1}},"a":1}', 'a'],
    ['with an escape', '"data":{"a":1,"\\u0061":2}', 'a'],
    ['with two ways of escaping', '"data":{"/\\u00e9":1,"\\/é":2}', '/é'],
    ['among a hundred', `"data":{${names(100)},"n2r":1}`, 'n2r'],
    ['that is long', `"data":{"${'x'.repeat(100_000)}":1,"${'x'.repeat(100_000)}":2}`, 'x'.repeat(64)],
    ['as an extension', '"ext":"a","ext":"b"', 'ext'],
    ['as an extension, with null', '"ext":null,"ext":"b"', 'ext'],
    ['as an extension, null twice', '"ext":null,"data":{"ext":1},"ext":null', 'ext'],
    ['as an extension, escaped', '"ext":1,"\\u0065xt":2', 'ext'],
    ['that is no attribute name, null twice', '"No-Name":null,"No-Name":null', 'No-Name'],
  ])('%s is refused', (_, members, name) => {
    expect(problemOf(event(members))).toBe(`EVENT_INVALID: ${JSON.stringify(name)} is given twice in one object`)
  })

  it.each([
    ['objects beside each other', '"data":[{"a":1},{"a":1},{"b":{"a":1},"a":{"a":{"a":1}}}]'],
    ['data and the event', '"ext":"x","data":{"id":1,"ext":2,"data":3}'],
    ['upper and lower case', '"data":{"a":1,"A":2}'],
    ['composed and decomposed letters', '"data":{"\u00e9":1,"e\u0301":2}'],
    ['an escaped backslash', '"data":{"\\\\u0061":1,"a":2,"\\u0061b":3}'],
    ['names with a common head, middle and tail', '"data":{"abcdXabcdefghYabcd":1,"abcdYabcdefghXabcd":2}'],
    ['prefixes of each other', '"data":{"":0,"a":1,"aa":2,"aaa":3,"aaaa":4,"aaaaa":5,"aaaaaaaaa":6}'],
    ['names and values', '"data":{"a":"a","b":"a","c":["a",":","b"]}'],
  ])('is not found in %s', (_, members) => {
    expect(problemOf(event(members))).toBeUndefined()
  })

  it('costs little however many names there are', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => `{"k${i}":1,"\\u006b":2,"l":3,"m":4}`).join(',')
    const wide = Array.from({ length: 9_000 }, (_, i) => `"${'x'.repeat(40)}${i}${'x'.repeat(40)}":1`).join(',')
    const from = performance.now()
    for (let i = 0; i < 10; i++) {
      expect(problemOf(event(`"data":[${rows}]`))).toBeUndefined()
      expect(problemOf(event(`"data":{${wide}}`))).toBeUndefined()
    }
    expect((performance.now() - from) / 20).toBeLessThan(100)
  })
})

describe('the limit of 10,000 members', () => {
  it.each([
    [`"data":{${names(9_996)}}`, undefined],
    [`"data":{${names(9_997)}}`, 'EVENT_INVALID: more than 10000 members'],
    [names(9_997, 'null'), undefined],
    [names(9_998, 'null'), 'EVENT_INVALID: more than 10000 members'],
    [`"ext":null,"data":[{${names(5_000)}},{${names(4_995)}}]`, undefined],
    [`"ext":null,"data":[{${names(5_000)}},{${names(4_996)}}]`, 'EVENT_INVALID: more than 10000 members'],
    [names(100_000, 'null'), 'EVENT_INVALID: more than 10000 members'],
    [`"data":{${names(100_000)}}`, 'EVENT_INVALID: more than 10000 members'],
  ])('counts those of the event itself too %#', (members, problem) => {
    expect(problemOf(event(members))).toBe(problem)
  })
})

describe('an extension attribute', () => {
  const hidden = 'EVENT_INVALID: the extension attribute ext has a control or direction character'
  it.each([
    ['"a\\u0000b"', hidden],
    ['"a\\nb"', hidden],
    ['"a\u007fb"', hidden],
    ['"\\u0085"', hidden],
    ['"a\u200eb"', hidden],
    ['"a\\u200fb"', hidden],
    ['"\u061c"', hidden],
    ['"\u202e"', hidden],
    ['"\\u2066"', hidden],
    ['"Zürich 東京 😀 e\u0301 \u2028 \\"q\\" \\\\ \\/"', undefined],
    ['"\u200d\u200c"', undefined],
    ['null', undefined],
    ['-1.5', undefined],
    ['{}', 'EVENT_INVALID: the extension attribute ext is not a string, number or boolean'],
  ])('of %s', (value, problem) => {
    expect(problemOf(event(`"ext":${value}`))).toBe(problem)
  })

  it('has a name of 1 to 64 lower-case letters and digits, escaped or not', () => {
    for (const name of ['a', '0', 'z9', 'x'.repeat(64), '\\u0061b']) {
      expect(problemOf(event(`"${name}":1`)), name).toBeUndefined()
    }
    for (const name of ['', 'A', 'a_b', 'a-b', 'ü', '__proto__', 'x'.repeat(65), '\\u0041', '`', '{', '/', ':']) {
      expect(problemOf(event(`"${name}":1`)), name).toContain('is not an attribute name')
    }
  })
})
