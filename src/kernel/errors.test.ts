import { describe, expect, it } from 'vitest'
import { ClickHouseError } from './drivers.ts'
import { AppError, errorType, messageOf, stackOf } from './errors.ts'

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    return error
  }
}
const engine = new ClickHouseError(469, 'VIOLATED_CONSTRAINT', "Column values: type = 'secret'", false)

describe('what is said of an error in logs', () => {
  it.each([
    ['of ours', new AppError('OVERLOADED', 'Too much'), 'Too much', 'OVERLOADED'],
    ['of Node', new TypeError('x is not a function'), 'x is not a function', 'INTERNAL'],
    ['of the engine', engine, 'ClickHouse refused it: VIOLATED_CONSTRAINT (469)', 'VIOLATED_CONSTRAINT'],
    ['of a text that cannot be parsed', parse('{"secret'), 'SyntaxError', 'INTERNAL'],
    ['that is none', 'secret', 'something was thrown that is no error', 'INTERNAL'],
  ])('%s', (_, error, message, type) => {
    expect([messageOf(error), errorType(error)]).toEqual([message, type])
    const stack = stackOf(error)
    expect(stack).not.toContain('secret')
    expect(stack).toContain(message)
    if (error instanceof Error) expect(stack).toContain('errors.test.ts')
  })
})
