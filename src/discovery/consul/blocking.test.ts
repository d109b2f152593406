import { describe, expect, it } from 'vitest'
import { nextIndex, QueryPace, retryMs } from './blocking.ts'

it('goes on from the index of the answer, and from the start when that is not to be trusted', () => {
  expect(nextIndex(0, '7')).toBe(7)
  expect(nextIndex(7, '7')).toBe(7)
  expect(nextIndex(7, '6')).toBe(0)
  expect(nextIndex(7, '0')).toBe(0)
  expect(nextIndex(0, null)).toBe(1)
})

describe('pace', () => {
  it('lets a few queries through at once, then one each second', () => {
    const pace = new QueryPace()
    const waits = Array.from({ length: 5 }, () => pace.next(1_000))
    expect(waits).toEqual([0, 0, 0, 1_000, 2_000])
    expect(pace.next(60_000)).toBe(0)
  })

  it('never asks more than 3 + n times in n seconds, however fast the answers come', () => {
    const pace = new QueryPace()
    let now = 0
    let queries = 0
    for (; now < 100_000; queries++) now += 5 + pace.next(now)
    expect(queries).toBeLessThanOrEqual(104)
    expect(queries).toBeGreaterThan(95)
  })

  it('tries again later and later, jittered, at most every 15 s', () => {
    expect([1, 2, 3, 6, 50].map((failures) => retryMs(failures, 1))).toEqual([500, 1_000, 2_000, 15_000, 15_000])
    expect(retryMs(1, 0)).toBe(250)
  })
})
