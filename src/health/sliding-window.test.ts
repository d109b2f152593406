import { expect, it } from 'vitest'
import { SlidingWindow } from './sliding-window.ts'

it('tells what the calls of the last seconds were like', () => {
  const window = new SlidingWindow(30)
  for (let i = 0; i < 198; i++) window.add(false, 10, 5_000)
  window.add(true, 700, 5_000)
  window.add(true, undefined, 5_000)
  const calls = window.read(6_000)
  expect([calls.count, calls.errors, calls.timed]).toEqual([200, 2, 199])
  expect(calls.p50).toBeGreaterThanOrEqual(10)
  expect(calls.p50).toBeLessThan(11.1)
  expect(calls.p99).toBeLessThan(11.1)
  for (let i = 0; i < 2; i++) window.add(false, 700, 6_000)
  expect(window.read(6_000).p99).toBeGreaterThanOrEqual(700)
})

it('forgets what is older than its seconds, and can look at fewer', () => {
  const window = new SlidingWindow(30)
  window.add(true, 1, 1_000)
  window.add(false, 1, 25_000)
  expect(window.read(25_000).count).toBe(2)
  expect(window.read(25_000, 10).count).toBe(1)
  expect(window.read(31_500).count).toBe(1)
  window.add(false, 1, 31_500)
  expect(window.read(31_500).errors).toBe(0)
  expect(window.read(90_000).count).toBe(0)
})

it('is as large with a million calls as with one', () => {
  const window = new SlidingWindow(30)
  for (let i = 0; i < 1_000_000; i++) window.add(i % 4 === 0, i % 50, i / 20)
  const { count, errors } = window.read(49_999)
  expect(count).toBe(600_000)
  expect(errors / count).toBeCloseTo(0.25, 3)
})
