import fc from 'fast-check'
import { expect, it } from 'vitest'
import { maxOrigins, type Share, turns } from './shares.ts'

const shares = (weights: Record<string, number>): Share[] =>
  Object.entries(weights).map(([origin, weight]) => ({ origin, weight }))

const count = (list: readonly string[], origin: string): number => list.filter((one) => one === origin).length

it.each<{ weights: Record<string, number>; list: string }>([
  { weights: {}, list: '' },
  { weights: { b: 1, a: 1 }, list: 'ab' },
  { weights: { a: 0, b: 0 }, list: 'ab' },
  { weights: { a: 20, b: 10 }, list: 'aab' },
  { weights: { a: 3, b: 2, c: 1 }, list: 'abcaba' },
  { weights: { a: 1_000, b: 0 }, list: 'ab' },
])('gives turns $list for $weights', ({ weights, list }) => {
  expect(turns(shares(weights)).toSorted().join('')).toBe([...list].toSorted().join(''))
})

it('adds up what is said of one address', () => {
  const list = turns([...shares({ a: 1, b: 1 }), ...shares({ a: 1 })])
  expect(count(list, 'a')).toBe(2)
})

it('spreads the turns of one over the list', () => {
  expect(turns(shares({ a: 3, b: 3, c: 1 })).join('')).toMatch(/^(?!.*aa).*$/)
})

const anyShares = fc.array(fc.record({ origin: fc.string({ maxLength: 3 }), weight: fc.nat(65_535) }), {
  maxLength: 20,
})

it('lists everything, at most 8 times, the heavier no less often, whatever the order of the records', () => {
  fc.assert(
    fc.property(anyShares, (some) => {
      const list = turns(some)
      expect(turns(some.toReversed())).toEqual(list)
      expect(new Set(list)).toEqual(new Set(some.map(({ origin }) => origin)))
      const weight = (origin: string) => some.reduce((sum, one) => sum + (one.origin === origin ? one.weight : 0), 0)
      for (const one of list) {
        expect(count(list, one)).toBeLessThanOrEqual(8)
        for (const other of list)
          if (weight(one) > weight(other)) expect(count(list, one)).toBeGreaterThanOrEqual(count(list, other))
      }
    }),
  )
})

it('uses no more addresses than there is room for', () => {
  const many = Array.from({ length: 1_000 }, (_, i) => ({ origin: `host-${i}`, weight: 1 }))
  expect(turns(many)).toHaveLength(maxOrigins)
})
