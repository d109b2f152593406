import { describe, expect, it } from 'vitest'
import {
  compileCondition,
  compileHeader,
  compilePath,
  compileTemplate,
  compileText,
  compileValue,
  ExpressionError,
} from './expression.ts'

const scope = {
  input: { amount: 12.5, n: 3, id: 'o-1', list: [1, 2, 'a', null], none: null, deep: { a: { b: true } } },
}

describe('a template', () => {
  it.each([
    ['${input.amount * 2}', 25],
    ['${input.id}', 'o-1'],
    ['order ${input.id} of ${input.n}', 'order o-1 of 3'],
    ['$${input.id}', '${input.id}'],
    ['a $$${input.id} b', 'a $${input.id} b'],
    ['$$', '$$'],
    ['${{"a": {"b": "}"}}}', { a: { b: '}' } }],
    ['${\'}\' + "}"}', '}}'],
    ['${input.n + 1} ', '4 '],
  ])('%s', (text, value) => expect(compileTemplate(text)(scope)).toEqual(value))

  it('reaches into lists and maps', () => {
    const template = { id: '${input.id}', items: ['${input.n}', 'x', { deep: '${input.deep}' }], fixed: { a: 1 } }
    expect(compileTemplate(template)(scope)).toEqual({
      id: 'o-1',
      items: [3, 'x', { deep: { a: { b: true } } }],
      fixed: { a: 1 },
    })
  })

  it('refuses what does not parse, and names that there are not', () => {
    expect(() => compileTemplate('${input.')).toThrow(ExpressionError)
    expect(() => compileTemplate('${input. }')).toThrow(ExpressionError)
    expect(() => compileTemplate('${other.x}', ['input'])).toThrow(/other/)
  })
})

it('makes text, values and conditions', () => {
  expect(compileText('/orders/${input.id}')(scope)).toBe('/orders/o-1')
  expect(() => compileText('/orders/${input.none}')(scope)).toThrow(/null/)
  expect(compileValue('input.n + 1')(scope)).toBe(4)
  expect(compileCondition('input.n == 3')(scope)).toBe(true)
  expect(compileCondition('${has(input.nope)}')(scope)).toBe(false)
  expect(() => compileCondition('input.n')(scope)).toThrow(/true or false/)
})

describe('the path of a request', () => {
  const path = (text: string, id: unknown) => compilePath(text)({ input: { id: id as string } })

  it.each([
    ['/orders/${input.id}', 'a b', '/orders/a%20b'],
    ['/orders/${input.id}', 'a/../b?c#d', '/orders/a%2F..%2Fb%3Fc%23d'],
    ['/orders/${input.id}', 7, '/orders/7'],
    ['/orders?a=${input.id}&b=1', 'x&y=é', '/orders?a=x%26y%3D%C3%A9&b=1'],
    ['/orders?a=${input.id}', '', '/orders?a='],
    ['/orders', 1, '/orders'],
    ['/v1.0/${input.id}.json', '..', '/v1.0/...json'],
  ])('%s with %j', (text, id, expected) => expect(path(text, id)).toBe(expected))

  it.each([
    ['/orders/${input.id}', ''],
    ['/orders/${input.id}', '.'],
    ['/orders/${input.id}/x', '..'],
    ['/orders/.${input.id}?x=1', '.'],
    ['/orders/%2e${input.id}', '.'],
    ['/orders/${input.id}', null],
    ['/orders/${input.id}', ['a']],
    ['/orders/${input.id}', '\ud800'],
  ])('%s does not take %j', (text, id) => expect(() => path(text, id)).toThrow(ExpressionError))
})

it('a header has no line breaks', () => {
  const header = compileHeader('Basic ${input.id}')
  expect(header({ input: { id: 'é\t1' } })).toBe('Basic é\t1')
  for (const id of ['a\r\nx: y', 'a\nb', '\u0000', '€'])
    expect(() => header({ input: { id } })).toThrow(ExpressionError)
})

it('keeps the order of members', () => {
  const value = compileTemplate({ a: '${input.id}', b: 1, c: '${input.n}' })(scope)
  expect(JSON.stringify(value)).toBe('{"a":"o-1","b":1,"c":3}')
})
