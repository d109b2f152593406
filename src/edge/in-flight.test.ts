import { codeOf, systemRandom } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { InFlight, type Share } from './in-flight.ts'

/** Takes 10 at a time until it is refused. */
function greedy(share: Share): number {
  for (let taken = 0; ; taken += 10) {
    try {
      share.take(10)
    } catch (error) {
      expect(codeOf(error)).toBe('OVERLOADED')
      return taken
    }
  }
}

it('leaves a fifth to others when one tenant takes all it can', () => {
  const inFlight = new InFlight(1_000)
  expect(greedy(inFlight.of('noisy'))).toBe(800)
  inFlight.of('rare').take(150)
  expect(inFlight.bytes).toBe(950)
})

it('leaves a ninth when two do', () => {
  const inFlight = new InFlight(1_000)
  const shares = [inFlight.of('a'), inFlight.of('b')]
  const taken = [0, 0]
  for (let i = 0; i < 200; i++) {
    for (const [n, share] of shares.entries()) {
      try {
        share.take(5)
        taken[n]! += 5
      } catch {}
    }
  }
  expect(Math.abs(taken[0]! - taken[1]!)).toBeLessThanOrEqual(5)
  expect(1_000 - inFlight.bytes).toBeGreaterThanOrEqual(105)
  expect(1_000 - inFlight.bytes).toBeLessThanOrEqual(120)
})

it('takes any first request that there is room for', () => {
  const inFlight = new InFlight(1_000)
  inFlight.of('a').take(1_000)
  expect(() => inFlight.of('b').take(1)).toThrow('Too many bytes are being worked on')
  inFlight.of('a').give(1_000)
  inFlight.of('b').take(1_000)
})

it('gives back what was taken', () => {
  const inFlight = new InFlight(1_000)
  const share = inFlight.of('a')
  for (let round = 0; round < 3; round++) {
    const taken = greedy(share)
    expect(taken).toBe(800)
    share.give(taken)
    expect(inFlight.bytes).toBe(0)
  }
})

it('forgets tenants that hold nothing when there are too many, and none that holds something', () => {
  const inFlight = new InFlight(1e9)
  inFlight.of('holder').take(10)
  for (let i = 0; i < 25_000; i++) inFlight.of(`tenant ${i}`).take(0)
  expect(inFlight.of('tenant 0')).not.toBe(inFlight.of('holder'))
  inFlight.of('holder').give(10)
  expect(inFlight.bytes).toBe(0)
})

it.each([
  [0, 1_000],
  [0.5, 2_000],
])('spreads those that it refuses over two seconds: %d is %d ms', (fraction, retryAfterMs) => {
  const inFlight = new InFlight(1_000, { ...systemRandom, fraction: () => fraction })
  expect(() => inFlight.take(1_001)).toThrow(expect.objectContaining({ retryAfterMs }))
})
