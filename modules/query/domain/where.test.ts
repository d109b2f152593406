import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseWhere } from './where.ts'

describe('where', () => {
  it.each([
    ['data.delay>60', [{ field: 'data.delay', op: 'gt', value: 60 }]],
    [' data.delay >= -1.5e1 ', [{ field: 'data.delay', op: 'gte', value: -15 }]],
    [
      'type=flight and data.ok!=true',
      [
        { field: 'type', op: 'eq', value: 'flight' },
        { field: 'data.ok', op: 'ne', value: true },
      ],
    ],
    [
      'data.a="x and y" AND data.b<\'5\'',
      [
        { field: 'data.a', op: 'eq', value: 'x and y' },
        { field: 'data.b', op: 'lt', value: '5' },
      ],
    ],
    ['data["a b"].c<=2001-01-01', [{ field: 'data["a b"].c', op: 'lte', value: '2001-01-01' }]],
    ['data.q="a\\"b\\\\c"', [{ field: 'data.q', op: 'eq', value: 'a"b\\c' }]],
    ['data.e=""', [{ field: 'data.e', op: 'eq', value: '' }]],
    ['data.n=007', [{ field: 'data.n', op: 'eq', value: '007' }]],
    ['ext.trace=t-1', [{ field: 'ext.trace', op: 'eq', value: 't-1' }]],
    [
      'data.and=and and data.x=1',
      [
        { field: 'data.and', op: 'eq', value: 'and' },
        { field: 'data.x', op: 'eq', value: 1 },
      ],
    ],
  ])('%s', (text, filters) => expect(parseWhere(text)).toEqual({ filters }))

  it.each([
    ['', 0],
    ['delay>5', 0],
    ['data.delay', 10],
    ['data.delay >', 12],
    ['data.delay ~ 5', 11],
    ['data.delay>5 or data.x=1', 13],
    ['data.delay>5 and', 13],
    ['data.a="open', 7],
    ['data.a=1 and data.b=2 x', 22],
  ])('not %s', (text, at) => expect(parseWhere(text)).toMatchObject({ at }))

  it('at most 50 comparisons', () => {
    const many = (n: number) => Array.from({ length: n }, () => 'data.a=1').join(' and ')
    expect(parseWhere(many(50))).toHaveProperty('filters')
    expect(parseWhere(many(51))).toHaveProperty('problem')
  })

  it('a quoted text comes back whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = `data.a="${value.replace(/["\\]/g, '\\$&')}" and data.b=1`
        const first = { field: 'data.a', op: 'eq', value }
        expect(parseWhere(text)).toEqual({ filters: [first, { field: 'data.b', op: 'eq', value: 1 }] })
      }),
    )
  })

  it('never throws and never takes long', () => {
    const nasty = fc.stringMatching(/^(data\.a|>|=|"|'|\\| and | |1|\[)*$/)
    fc.assert(fc.property(fc.oneof(nasty, fc.string()), (text) => void parseWhere(text)))
    const from = performance.now()
    parseWhere(`data.a="${'\\"'.repeat(50_000)}`)
    parseWhere(`data${'.a'.repeat(50_000)}`)
    expect(performance.now() - from).toBeLessThan(1000)
  })
})
