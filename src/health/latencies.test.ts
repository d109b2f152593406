import fc from 'fast-check'
import { expect, it } from 'vitest'
import { classCount, classOf, quantile, slowerThan } from './latencies.ts'

function counted(times: readonly number[]): Uint32Array {
  const counts = new Uint32Array(classCount)
  for (const ms of times) counts[classOf(ms)]!++
  return counts
}

const times = fc.array(fc.double({ min: 1, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 300 })

it('gives the p99 at most 10 % above the true one', () => {
  fc.assert(
    fc.property(times, (some) => {
      const exact = some.toSorted((a, b) => a - b)[Math.ceil(some.length * 0.99) - 1]!
      const given = quantile(counted(some), some.length, 0.99)
      expect(given).toBeGreaterThanOrEqual(exact * (1 - 1e-9))
      expect(given).toBeLessThanOrEqual(exact * 1.1 * (1 + 1e-9))
    }),
  )
})

it('counts exactly what took longer than 200 ms', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1_000, noNaN: true })), (some) => {
      expect(slowerThan(counted(some), 200)).toBe(some.filter((ms) => ms > 200).length)
    }),
  )
  expect(slowerThan(counted([199.9, 200, 200.1]), 200)).toBe(1)
})

it('never counts one as slower than a limit that it kept', () => {
  fc.assert(
    fc.property(times, fc.double({ min: 1, max: 60_000, noNaN: true }), (some, limit) => {
      expect(slowerThan(counted(some), limit)).toBeLessThanOrEqual(some.filter((ms) => ms > limit * (1 - 1e-6)).length)
    }),
  )
})

it('takes times beyond its ends', () => {
  expect(quantile(counted([0]), 1, 0.99)).toBeLessThan(1)
  expect(quantile(counted([1e9]), 1, 0.99)).toBeGreaterThan(60_000)
  expect(quantile(counted([]), 0, 0.99)).toBe(0)
})
