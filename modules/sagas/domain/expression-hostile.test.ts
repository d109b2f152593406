import { evaluate } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileTemplate, compileValue, ExpressionError, type Scope } from './expression.ts'
import type { Json } from './json.ts'

const nested = (depth: number): Json => {
  let value: Json = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}
const scope = {
  input: {
    big: 'x'.repeat(100_000),
    many: Array.from({ length: 2_000 }, (_, i) => i),
    deep: nested(20_000),
    duration: `${'1'.repeat(50_000)}x`,
    pattern: `${'x'.repeat(200)}y`,
  },
}

/** `cel.bind` over and over: each name holds the one before twice. */
const doubled = (levels: number, start: string, twice: (name: string) => string) => {
  let text = `v${levels}`
  for (let i = levels; i > 0; i--) text = `cel.bind(v${i}, ${twice(`v${i - 1}`)}, ${text})`
  return `cel.bind(v0, ${start}, ${text})`
}
const loops = (levels: number) => {
  let text = '1'
  for (let i = 0; i < levels; i++) text = `[1, 2, 3, 4].map(v${i}, ${text})`
  return text
}

describe('hostile expressions end soon, with an error that says why', () => {
  it.each([
    ['nested loops over input', 'input.many.map(x, input.many.map(y, y))'],
    ['loops whose errors are swallowed', 'input.many.exists(x, input.many.exists(y, y == -1))'],
    ['loops that never fail', 'input.many.all(x, input.many.all(y, y >= 0))'],
    ['loops over literals', loops(30)],
    ['text that doubles', doubled(40, '"ab"', (name) => `${name} + ${name}`)],
    ['lists that double', doubled(40, '[1, 2]', (name) => `${name} + ${name}`)],
    ['lists that hold themselves twice', doubled(40, '[1]', (name) => `[${name}, ${name}]`)],
    [
      'comparing such lists',
      `${doubled(30, '[1]', (name) => `[${name}, ${name}]`)} == ${doubled(30, '[1]', (name) => `[${name}, ${name}]`)}`,
    ],
    ['such a list as a name', `{"a": 1}[${doubled(30, '[1]', (name) => `[${name}, ${name}]`)}]`],
    ['such a list as a member', `{${doubled(30, '["a"]', (name) => `[${name}, ${name}]`)}: 1}`],
    ['joining large texts', 'input.many.map(x, input.big).join("")'],
    ['joining with a large text', 'input.many.map(x, "a").join(input.big)'],
    ['searching for a large text', 'input.big.contains(input.big)'],
    ['searching again and again', 'input.many.exists(x, input.big.lastIndexOf(input.pattern) > 0)'],
    ['comparing large texts again and again', 'input.many.exists(x, input.big < input.big)'],
    ['a duration of many digits', 'duration(input.duration)'],
    ['a loop that swallows an error each time', 'input.many.exists(x, x.nope || x.nopf)'],
    ['swallowing the end of the budget', 'input.many.exists(x, [1, 2, 3, 4].all(y, input.many.exists(z, z < 0)))'],
    [
      'durations of many digits, again and again',
      `input.many.exists(x, duration("${'1'.repeat(64)}") == duration("1s"))`,
    ],
    ['a product of large integers', `input.many.exists(x, ${'9'.repeat(1_000)} * 9 == 1)`],
    ['a deep value', 'input.deep'],
    ['comparing deep values', '[input.deep] == [[input.deep]]'],
    ['a chain of operators', Array(400).fill('1').join(' + ')],
    ['a chain of negations', `${'!'.repeat(4_000)}true`],
    ['many parentheses', `${'('.repeat(2_000)}1${')'.repeat(2_000)}`],
    ['a long list', `[${Array(1_000).fill('1').join()}]`],
    ['a large result', 'input.big + input.big + input.big'],
    [
      'a large result from little',
      'input.many.map(x, "a".split("")).map(x, [x, x, x, x, x, x, x, x, x]).map(x, [x, x, x])',
    ],
  ])('%s', (_, text) => {
    const start = performance.now()
    expect(() => compileValue(text)(scope)).toThrow(ExpressionError)
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  it('and leave errors elsewhere their stack traces', () => {
    const limit = Error.stackTraceLimit
    expect(() => compileValue('input.nope')({ input: {} })).toThrow(ExpressionError)
    expect(Error.stackTraceLimit).toBe(limit)
  })

  it('one budget holds for all expressions of a template', () => {
    const list = Array(200).fill('${input.many.map(x, x + 1).size()}')
    expect(() => compileTemplate(list)(scope)).toThrow(/too much work/)
    expect(() => compileTemplate([...Array(3)].map(() => '${input.big}'))(scope)).toThrow(/256 KiB/)
  })

  it('a constant too large is refused when it is compiled', () => {
    expect(() => compileTemplate(['x'.repeat(300_000)])).toThrow(/256 KiB/)
  })

  it('an opening that is never closed is found soon', () => {
    const start = performance.now()
    for (const text of [`\${${"'''".repeat(80_000)}`, `\${${'"'.repeat(200_001)}`, `\${${'{'.repeat(200_000)}`]) {
      expect(() => compileTemplate(text)).toThrow(/not closed/)
    }
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})

describe('whatever is written and given', () => {
  const names = fc.constantFrom('a', 'b', 'input', 'length', 'constructor', 'size')
  const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>
  const text = fc.oneof(
    fc.constantFrom('input', 'input.a', 'input.b', 'input.a.b', '1', '2.5', '"x"', 'null', 'true', '[]', '{}'),
    names.map((name) => `input.${name}`),
  )
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      text,
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('+', '-', '*', '/', '%', '==', '!=', '<', 'in', '&&', '||'),
          tie('expression'),
        )
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      fc.tuple(tie('expression'), names).map(([holder, name]) => `${holder}.${name}`),
      fc.tuple(tie('expression'), tie('expression')).map(([holder, index]) => `${holder}[${index}]`),
      fc.tuple(tie('expression'), tie('expression')).map(([list, body]) => `${list}.map(a, ${body})`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `[${a}, ${b}]`),
      fc.tuple(names, tie('expression')).map(([name, member]) => `{"${name}": ${member}}`),
      tie('expression').map((inner) => `dyn(${inner})`),
      tie('expression').map((inner) => `string(${inner})`),
    ),
  }))

  it('gives JSON or an ExpressionError, the same each time, and leaves the scope alone', () => {
    fc.assert(
      fc.property(expression, json, (source, input) => {
        const before = structuredClone(input)
        const run = (scope: Scope) => {
          try {
            return { value: compileValue(source)(scope) }
          } catch (error) {
            expect(error).toBeInstanceOf(ExpressionError)
            return { error: (error as Error).message }
          }
        }
        const result = run(deepFreeze({ input }))
        expect(run({ input: before })).toEqual(result)
        expect(input).toEqual(before)
        if ('value' in result)
          expect(JSON.parse(JSON.stringify(result.value))).toEqual(withoutNegativeZero(result.value as Json))
      }),
      { numRuns: 2_000 },
    )
  })

  it('the guards that are written into it change nothing', () => {
    const { number, truth } = fc.letrec<{ number: string; truth: string }>((tie) => ({
      number: fc.oneof(
        { maxDepth: 6 },
        fc.integer({ min: 0, max: 9 }).map(String),
        fc.tuple(tie('number'), fc.constantFrom('+', '-', '*', '/', '%'), tie('number'), fc.boolean()).map(infix),
        fc.tuple(tie('truth'), tie('number'), tie('number')).map(([c, a, b]) => `(${c} ? ${a} : ${b})`),
        tie('number').map((inner) => `- ${inner}`),
        tie('number').map((inner) => `[${inner}, 1].filter(x, x > 0).map(x, x * 2).size()`),
      ),
      truth: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom('true', 'false'),
        fc.tuple(tie('truth'), fc.constantFrom('&&', '||'), tie('truth'), fc.boolean()).map(infix),
        fc
          .tuple(tie('number'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('number'), fc.constant(true))
          .map(infix),
        tie('truth').map((inner) => `!${inner}`),
      ),
    }))
    const outcome = (run: () => unknown) => {
      try {
        return run()
      } catch {
        return 'fails'
      }
    }
    fc.assert(
      fc.property(fc.oneof(number, truth), (source) => {
        fc.pre(source.length < 4_000)
        const plain = outcome(() => evaluate(source))
        expect(outcome(() => compileValue(source)({}))).toEqual(typeof plain === 'bigint' ? Number(plain) : plain)
      }),
      { numRuns: 1_000 },
    )
  })

  it('a template without expressions comes back equal', () => {
    const plain = json.filter((value) => !JSON.stringify(value).match(/\$\{|__proto__/))
    fc.assert(
      fc.property(plain, (value) => {
        expect(compileTemplate(value)({})).toEqual(value)
      }),
    )
  })

  it('any text comes back when each ${ in it is escaped', () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom('$', '{', '}', '${', '"'), fc.string()), { maxLength: 8 })
    fc.assert(
      fc.property(pieces, (parts) => {
        const wanted = parts.join('')
        fc.pre(!wanted.includes('$${'))
        expect(compileTemplate(wanted.replaceAll('${', () => '$${'))({})).toBe(wanted)
      }),
    )
  })

  it('any text stays itself within an expression that holds it as a literal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (wanted) => {
        expect(compileTemplate(`\${${JSON.stringify(wanted)}}`)({})).toBe(wanted)
      }),
    )
  })
})

const infix = ([left, operator, right, grouped]: readonly [string, string, string, boolean]) =>
  grouped ? `(${left} ${operator} ${right})` : `${left} ${operator} ${right}`

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

/** JSON has no -0. */
function withoutNegativeZero(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}
