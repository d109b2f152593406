import { describe, expect, it } from 'vitest'
import { compileValue, ExpressionError, type Scope } from './expression.ts'

const scope: Scope = {
  input: {
    n: 3.5,
    i: 3,
    text: 'x,y',
    none: null,
    list: [1, 2, 'a', null],
    numbers: [1, 2, 3],
    map: { a: 1 },
    at: '2026-01-01T00:00:00Z',
  },
}
const value = (text: string) => compileValue(text)(scope)

describe('an expression', () => {
  it.each([
    // JSON numbers and literals mix
    ['input.n * 2', 7],
    ['2 * input.n', 7],
    ['input.i % 2', 1],
    ['5 % input.i', 2],
    ['input.i / 2', 1.5],
    ['7 / 2', 3],
    ['input.i - 1', 2],
    ['1 - input.i', -2],
    ['size(input.list) * input.n', 14],
    ['-input.n', -3.5],
    ['input.i == 3', true],
    ['3 == input.i', true],
    ['input.i != 3', false],
    ['1 == 1.0 && 1.0 == 1', true],
    ['1 < input.i && input.i <= 3.0', true],
    ['input.i in [1, 2, 3]', true],
    ['input.numbers == [1, 2, 3]', true],
    ['input.numbers.map(x, x * 2)', [2, 4, 6]],
    ['input.list[input.i]', null],
    ['input.list[0] + 1', 2],
    ['input.text.substring(input.i - 1)', 'y'],
    ['timestamp(input.i)', '1970-01-01T00:00:03.000Z'],
    ['int(input.n)', 3],
    ['string(input.i)', '3'],
    // integers beyond 2^53 are text in JSON
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['int("-9007199254740993")', '-9007199254740993'],
    // equality never fails, and looks into lists and maps
    ['input.text == 1', false],
    ['1 == input.text', false],
    ['input.none == null', true],
    ['input.n == null', false],
    ['input.map == {"a": 1}', true],
    ['{"a": [input.i]} == {"a": dyn([3])}', true],
    ['input.list == [1, 2, "a", null]', true],
    ['"a" in input.list', true],
    ['"z" in input.list', false],
    ['input.map in [input.map]', true],
    ['"a" in input.map', true],
    ['"constructor" in input.map', false],
    ['1 in input.map', false],
    ['timestamp(input.at) == timestamp("2026-01-01T01:00:00+01:00")', true],
    ['duration("60s") == duration("1m")', true],
    ['duration("-1h30m") + duration("1.5s")', '-5398.5s'],
    [
      '[duration("0s"), duration("20ns"), duration("-0.5s"), duration("100h")]',
      ['0s', '0.00000002s', '-0.5s', '360000s'],
    ],
    ['duration("-1.5s") == duration("0s") - duration("1.5s")', true],
    ['type(input.text) == string', true],
    // what may be missing
    ['has(input.n)', true],
    ['has(input.zz)', false],
    ['has(input.none.x)', false],
    ['has(input.zz) ? input.zz : "none"', 'none'],
    ['input.?zz.orValue(4)', 4],
    ['input.?map.?a.orValue(0)', 1],
    ['input.?map.?a.hasValue()', true],
    ['input.none == null ? dyn(0) : "x"', 0],
    // loops and text
    ['input.list.filter(x, x == 1)', [1]],
    ['input.numbers.map(x, x > 1, x)', [2, 3]],
    ['input.numbers.all(x, x > 0) && !input.numbers.exists(x, x > 3) && input.numbers.exists_one(x, x == 2)', true],
    ['[[1, 2], [3]].map(x, x.map(y, y * 2))', [[2, 4], [6]]],
    ['input.map.map(k, k + "!")', ['a!']],
    ['cel.bind(a, input.n, a * 2)', 7],
    ['input.text.split(",").join("-")', 'x-y'],
    ['" a ".trim().upperAscii() + "é"', 'Aé'],
    ['size("é") + "ab".size()', 3],
    ['input.text.indexOf("y") + input.text.lastIndexOf("x")', 2],
    ['input.text.startsWith("x") && input.text.endsWith("y") && input.text.contains(",")', true],
    ['[1] + input.numbers + [input.n] + input.list', [1, 1, 2, 3, 3.5, 1, 2, 'a', null]],
    ['{"a": 1, "b": [input.text, 2], input.text: null}', { a: 1, b: ['x,y', 2], 'x,y': null }],
    // time
    ['timestamp(input.at) + duration("1h")', '2026-01-01T01:00:00.000Z'],
    ['timestamp(input.at) - timestamp("2025-12-31T23:00:00Z")', '3600s'],
    ['timestamp(input.at).getFullYear()', 2026],
    ['timestamp("2026-07-01T12:00:00-05:30").getHours()', 17],
    // reading it as written
    [`r"a\\n" + 'b"' + "c'" + """d"e"""`, `a\\nb"c'd"e`],
    ['- -3 - (2 - (1 - 4))', -2],
    ['1 + 2 * 3 - 4 / 2', 5],
    ['!(true && false) || false', true],
    ['1 > 2 ? 1 : 2 > 1 ? 3 : 4', 3],
    [' // a note }\n 1', 1],
  ])('%s', (text, expected) => expect(value(text)).toEqual(expected))

  it.each([
    ['', /empty/],
    ['1 +', /Unexpected token/],
    ['"abc', /Unterminated string/],
    ['input.l.map(1, 2)', /iteration variable/],
    ['a'.repeat(4_097), /longer than 4 KiB/],
    ['foo(1)', /foo/],
    ['input.foo()', /foo/],
    ['_eq(1, 1)', /_eq/],
    ['input._weigh()', /_weigh/],
    ['"a" * 2', /no such overload: string \* int/],
    ['true ? 1 : "a"', /dyn\(…\) around one of them/],
    ['has(1)', /has\(\) invalid argument/],
    ['__proto__', /Reserved/],
    ['{"__proto__": 1}', /cannot be named __proto__/],
    ['{"constructor": 1}', /cannot be named constructor/],
    ['{1: 2}', /names in quotes/],
    ['b"abc"', /JSON has neither/],
    ['1u', /JSON has neither/],
    ['uint(1)', /no function uint/],
    ['9223372036854775808', /64 bits/],
    ['input.text.matches("(a+)+$")', /Regular expressions are not offered/],
    ['timestamp(input.at).getHours("Europe/Berlin")', /UTC/],
    ['timestamp(input.at).getDayOfYear()', /no function .getDayOfYear/],
  ])('is refused when it is compiled: %s', (text, why) => {
    expect(() => compileValue(text)).toThrow(ExpressionError)
    expect(() => compileValue(text)).toThrow(why)
  })

  it.each([
    ['input.zz', /input has no member zz/],
    ['input.zz == null', /input has no member zz/],
    ['input.map.x.y', /input.map has no member x/],
    ['has(input.zz.y)', /input has no member zz/],
    ['input.none.x', /input.none has no member x/],
    ['input.text.length', /input.text has no member length/],
    ['input["zz"]', /No such key: zz/],
    ['input.list[9]', /out of bounds/],
    ['nobody.x', /nobody/],
    ['constructor', /function/],
    ['toString', /function/],
    ['input.constructor', /no member constructor/],
    ['input.__proto__', /no member __proto__/],
    ['input["constructor"]', /No such key/],
    ['input[input.map]', /index/],
    ['input.?zz', /orValue/],
    ['optional.none()', /orValue/],
    ['optional.none().value()', /not present/],
    ['1 / 0', /division by zero/],
    ['input.n / 0', /divided by zero/],
    ['double("NaN")', /NaN/],
    ['9223372036854775807 + 1', /overflow/],
    ['type(1)', /not a value/],
    ['google', /not a value/],
    ['{input.n: 1}', /must be text/],
    ['{input.list[2] + "": 1, "b": 2, ("__pro" + "to__"): 3}', /cannot be named __proto__/],
    ['input.text + 1', /no such overload: string \+ int/],
    ['size(input.n)', /size/],
    ['"a" in input.text', /list or a map/],
    ['timestamp("2026-01-01T00:00:00.00")', /offset from UTC/],
    ['timestamp("yesterday, or so it seemsZ")', /ISO 8601/],
    ['timestamp(input.at) + duration("9999999999h")', /too far away/],
    ['duration("soon")', /such as 1h30m/],
    ['duration("1h ")', /such as 1h30m/],
    ['bool("maybe")', /maybe/],
  ])('fails when it is evaluated: %s', (text, why) => {
    const compiled = compileValue(text)
    expect(() => compiled(scope)).toThrow(ExpressionError)
    expect(() => compiled(scope)).toThrow(why)
  })

  it('may use only the names that there are', () => {
    expect(compileValue('input.n', ['input', 'steps'])(scope)).toBe(3.5)
    expect(() => compileValue('inputs.n', ['input', 'steps'])).toThrow(/inputs; known are input, steps/)
    expect(compileValue('input.numbers.map(inputs, inputs)', ['input'])(scope)).toEqual([1, 2, 3])
  })
})
