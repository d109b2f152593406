import { expect, it } from 'vitest'
import { DependencyState } from './dependency-state.ts'
import type { Calls } from './sliding-window.ts'

const calls = (count: number, errors: number, p99 = 1): Calls => ({
  ...{ count, errors, timed: count, p50: 1, p99 },
  slowerThan: () => 0,
})

function state(slowMs = 1_000, hungMs = 10_000) {
  const machine = new DependencyState({ slowMs, hungMs })
  return (now: number, of: Calls, { silentMs = 0, probe = undefined as string | undefined } = {}) =>
    machine.update({ calls: of, seconds: 10, silentMs, probe }, now)
}

it('says nothing of few calls, however they end', () => {
  const at = state()
  expect(at(0, calls(4, 4)).state).toBe('ok')
  expect(at(0, calls(19, 0, 30_000)).state).toBe('ok')
  expect(at(0, calls(5, 5)).state).toBe('down')
})

it('goes from ok over degraded to down with the part of the calls that fail, and names it', () => {
  const at = state()
  expect(at(0, calls(100, 9)).state).toBe('ok')
  expect(at(1_000, calls(100, 10))).toEqual({ state: 'degraded', reason: '10 of 100 calls failed in 10 s' })
  expect(at(2_000, calls(100, 49)).state).toBe('degraded')
  expect(at(3_000, calls(100, 50))).toEqual({ state: 'down', reason: '50 of 100 calls failed in 10 s' })
})

it('leaves a state only well below the limit that led to it', () => {
  const at = state()
  at(0, calls(100, 50))
  expect(at(10_000, calls(100, 25)).state).toBe('down')
  expect(at(20_000, calls(100, 24)).state).toBe('degraded')
  expect(at(30_000, calls(100, 5)).state).toBe('degraded')
  expect(at(40_000, calls(100, 4)).state).toBe('ok')
})

it('holds a state for five seconds, and goes to a worse one at once', () => {
  const at = state()
  expect(at(0, calls(100, 10)).state).toBe('degraded')
  expect(at(4_999, calls(100, 0))).toEqual({ state: 'degraded', reason: '10 of 100 calls failed in 10 s' })
  expect(at(5_000, calls(100, 0))).toEqual({ state: 'ok' })
  expect(at(5_001, calls(100, 90)).state).toBe('down')
})

it('does not flap at a limit', () => {
  const at = state()
  const seen = Array.from({ length: 60 }, (_, i) => at(i * 1_000, calls(100, i % 2 === 0 ? 11 : 9)).state)
  expect(seen.filter((one, i) => i > 0 && one !== seen[i - 1])).toEqual([])
})

it('is degraded by a p99 above what is slow, until that is well below', () => {
  const at = state()
  expect(at(0, calls(20, 0, 1_001))).toEqual({ state: 'degraded', reason: 'its p99 is 1001 ms' })
  expect(at(10_000, calls(20, 0, 701)).state).toBe('degraded')
  expect(at(20_000, calls(20, 0, 699)).state).toBe('ok')
})

it('is down while what is asked is not answered, and when the probe says so', () => {
  const at = state()
  expect(at(0, calls(0, 0), { silentMs: 9_999 }).state).toBe('ok')
  expect(at(0, calls(0, 0), { silentMs: 10_000 })).toEqual({ state: 'down', reason: 'no answer for 10 s' })
  expect(state()(0, calls(100, 0), { probe: 'it is away' })).toEqual({ state: 'down', reason: 'it is away' })
})

it('has nothing against one that nobody calls', () => {
  const at = state()
  at(0, calls(100, 100))
  expect(at(5_000, calls(0, 0)).state).toBe('ok')
})
