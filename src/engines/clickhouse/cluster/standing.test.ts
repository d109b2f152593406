import { expect, it } from 'vitest'
import { Standing } from './standing.ts'

const of = (all: string): Standing<string> => new Standing([...all])

it('takes turns, and stays with one where it should', () => {
  const standing = of('abc')
  expect([1, 2, 3, 4].map(() => standing.inTurn().join(''))).toEqual(['abc', 'bca', 'cab', 'abc'])
  expect([1, 2].map(() => standing.steady().join(''))).toEqual(['abc', 'abc'])
})

it('asks one that failed last, for longer each time, and first again when it works', () => {
  const standing = of('abc')
  expect([0, 1, 2, 3, 4, 5, 6].map((i) => standing.failed('a', i))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ])
  expect(standing.steady().join('')).toBe('bca')
  expect(standing.outSince('a')).toBe(0)
  expect([30_005, 30_006].map((now) => standing.isDue('a', now))).toEqual([false, true])
  expect(standing.isDue('b', 36_000)).toBe(false)
  expect(standing.worked('a')).toBe(true)
  expect(standing.worked('a')).toBe(false)
  expect(standing.steady().join('')).toBe('abc')
  expect(standing.failed('a', 9)).toBe(1_000)
})

it('gives up nobody: with all out, the first to return is asked first', () => {
  const standing = of('abc')
  standing.failed('b', 0)
  standing.failed('b', 0)
  standing.failed('a', 10)
  standing.failed('c', 5)
  expect(standing.inTurn().join('')).toBe('cab')
  expect(standing.serving()).toEqual([])
})
