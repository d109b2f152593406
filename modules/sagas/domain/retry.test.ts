import { describe, expect, it } from 'vitest'
import { reset, unreachable } from '../kit/testing/index.ts'
import { backoffMs, forwardRetry, nextDue, type Retry } from './retry.ts'
import { answer, call, final, ok, pivot, start, times, told } from './saga.fixture.ts'

const retry: Retry = { attempts: 5, initialMs: 100, factor: 2, maxMs: 1_000, jitter: 0, withinMs: 10_000 }
const past = { attempts: 1, firstAt: 0, t: 0 }

describe('the next attempt', () => {
  it('is due after an exponential that is cut at its maximum', () => {
    expect([1, 2, 3, 4, 5, 100, 1_000].map((n) => backoffMs(retry, n, 0))).toEqual([
      100, 200, 400, 800, 1_000, 1_000, 1_000,
    ])
    expect(backoffMs({ ...retry, initialMs: 0, factor: 10 }, 1_000, 0)).toBe(0)
  })

  it('comes earlier by the jitter at most', () => {
    for (let i = 0; i <= 100; i++) {
      const ms = backoffMs({ ...retry, jitter: 0.5 }, 2, i / 101)
      expect(ms).toBeGreaterThanOrEqual(100)
      expect(ms).toBeLessThanOrEqual(200)
    }
  })

  it('is none when attempts or time are spent', () => {
    expect(nextDue(retry, { ...past, attempts: 4 }, 0)).toBe(800)
    expect(nextDue(retry, { ...past, attempts: 5 }, 0)).toBeUndefined()
    expect(nextDue(retry, { ...past, t: 9_900 }, 0)).toBe(10_000)
    expect(nextDue(retry, { ...past, t: 9_901 }, 0)).toBeUndefined()
  })

  it('waits for what the participant asks, within the budget', () => {
    expect(nextDue(retry, past, 0, 5_000)).toBe(5_000)
    expect(nextDue(retry, past, 0, 10_001)).toBeUndefined()
  })
})

const none = { jitter: 0, attempts: 3, initial: '1s', factor: 2 }

it('is made until it succeeds', async () => {
  const run = start([call('a', { retry: none })], { a: [answer(503), unreachable(), ok] })
  expect(await run.untilEnd()).toBe('completed')
  expect(times(run)).toEqual([0, 1_000, 3_000])
  expect(told(run)).toEqual([
    'go a 1',
    'retry a HTTP_503',
    'go a 2',
    'retry a UNREACHABLE',
    'go a 3',
    'done a',
    'end completed',
  ])
})

it('ends in an undo when attempts are spent; of what certainly did nothing there is none', async () => {
  const unknown = start([call('a', { retry: none })], { a: [answer(503)] })
  expect(await unknown.untilEnd()).toBe('compensated')
  expect(times(unknown)).toEqual([0, 1_000, 3_000, 3_000])
  expect(told(unknown).slice(-5)).toEqual([
    'failed a HTTP_503',
    'turn a HTTP_503',
    'undo a 1',
    'undone a',
    'end compensated',
  ])
  const nothing = start([call('a', { retry: none })], { a: [answer(429)] })
  expect(await nothing.untilEnd()).toBe('compensated')
  expect(told(nothing).slice(-3)).toEqual(['failed a HTTP_429', 'turn a HTTP_429', 'end compensated'])
})

it('ends when time is spent', async () => {
  const run = start([call('a', { retry: { ...none, attempts: 100, within: '5s' } })], { a: [answer(429)] })
  await run.untilEnd()
  expect(times(run)).toEqual([0, 1_000, 3_000])
})

it('heeds Retry-After, and gives up when that is longer than the budget', async () => {
  const patient = start([final('a')], { a: [answer(429, { headers: { 'retry-after': '120' } }), ok] })
  await patient.untilEnd()
  expect(times(patient)).toEqual([0, 120_000])
  const overlong = start([final('a')], { a: [answer(429, { headers: { 'retry-after': '3600' } }), ok] })
  expect(await overlong.untilEnd()).toBe('compensated')
  expect(overlong.t).toBe(0)
})

it('follows the defaults: minutes before the pivot, a week after it, a day for an undo', async () => {
  const forward = start([call('a')], { a: [unreachable()] })
  await forward.untilEnd()
  expect(forward.requests).toHaveLength(forwardRetry.attempts)
  expect(forward.t).toBeLessThan(300_000)
  const after = start([pivot('a'), final('b')], { b: [answer(503)] }, { participant: { keyWindow: '30d' } })
  expect(await after.untilEnd()).toBe('needs_attention')
  expect(after.requests).toHaveLength(1_001)
  expect(after.t / 86_400_000).toBeGreaterThan(2)
  const undo = start(
    [call('a'), final('b')],
    { b: [answer(402)], 'a.undo': [answer(503)] },
    { participant: { keyWindow: '30d' } },
  )
  expect(await undo.untilEnd()).toBe('needs_attention')
  expect(undo.requests).toHaveLength(102)
})

it('has a jitter that differs from saga to saga, and not from run to run', async () => {
  const waits = async (seed: number) => {
    const run = start([call('a', { retry: { attempts: 3, initial: '1s', jitter: 1 } })], { a: [reset()] }, { seed })
    await run.untilEnd()
    return times(run).join()
  }
  expect(await waits(1)).toBe(await waits(1))
  const seen = new Set(await Promise.all(Array.from({ length: 20 }, (_, seed) => waits(seed))))
  expect(seen.size).toBe(20)
})
