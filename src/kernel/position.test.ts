import { describe, expect, it } from 'vitest'
import { checkPosition, covers, decodePosition, encodePosition } from './position.ts'

const refused = expect.objectContaining({ code: 'POSITION_INVALID' })

describe('a position', () => {
  it('comes back as it was encoded', () => {
    for (const position of [
      new Map([[0, 0]]),
      new Map([[1, 35]]),
      new Map([
        [0, 2 ** 53 - 1],
        [63, 36],
      ]),
    ]) {
      expect(decodePosition(encodePosition(position))).toEqual(position)
    }
  })

  it('of nothing can be sent back, and everything covers it', () => {
    const token = encodePosition(new Map())
    expect(covers(new Map(), decodePosition(token))).toBe(true)
    checkPosition(token, 1)
  })

  it.each(['', 'p1', 'p1-', 'p2-0.1', 'p1-0', 'p1-0.', 'p1-0.1-', 'p1-0.-1', 'p1-0.A', 'p1-0.zzzzzzzzzzz'])(
    'is not %j',
    (token) => expect(() => decodePosition(token)).toThrow(refused),
  )

  it('names a partition once', () => {
    for (const token of ['p1-0.1-0.1', 'p1-0.1-1.1-0.2', 'p1-0.1-00.2']) {
      expect(() => decodePosition(token), token).toThrow(refused)
    }
  })

  it('is of a log that has the partition', () => {
    checkPosition('p1-0.1-1.zz', 2)
    for (const token of ['p1-2.0', 'p1-0.1-zzzz.1']) expect(() => checkPosition(token, 2), token).toThrow(refused)
  })
})
