import { describe, expect, it } from 'vitest'
import { compileCondition, compileTemplate, compileText, compileValue, ExpressionError } from './expression.ts'

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
