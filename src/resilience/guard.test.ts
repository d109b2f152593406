import { setTimeout as delay } from 'node:timers/promises'
import {
  AppError,
  type Call,
  type ErrorCode,
  noMetrics,
  silentLogger,
  systemCall,
  systemClock,
} from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import type { BreakerLimits } from './breaker.ts'
import { createBreakers } from './breakers.ts'
import { Guard } from './guard.ts'

const never = new AbortController().signal
const unavailable = expect.objectContaining({ code: 'UNAVAILABLE' })

/** `well` says whether the dependency answers a small question; a call takes as long as it likes. */
function start(limits: Partial<BreakerLimits> = {}, patient = false) {
  const clock = new ManualClock()
  const breakers = createBreakers({
    kind: 'test',
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    limits: { minCalls: 10, slowMs: 30, ...limits },
  })
  const state = { well: true, asked: 0 }
  const ask = async () => {
    state.asked++
    if (!state.well) throw new AppError('UNAVAILABLE', 'no answer')
  }
  const breaker = breakers.get('a', 100)
  const guard = new Guard({ name: 'The store', breaker, clock, ask, cuts: true, patient })
  const call = () => systemCall(clock, 60_000, never)
  const failing = async (code: ErrorCode, n: number) => {
    for (let i = 0; i < n; i++) {
      await expect(guard.run(call(), () => Promise.reject(new AppError(code, 'no')))).rejects.toThrow()
    }
  }
  return { clock, breaker, guard, state, call, failing }
}

/** Ends when its caller is gone, or when told. */
function heavy(guard: Guard, call: Call) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const result = guard.run(call, (within) => {
    within.signal.addEventListener('abort', () => reject(new AppError('CANCELLED', 'cut')))
    return promise
  })
  result.catch(() => {})
  return { result, end: () => resolve('done') }
}

describe('a guard', () => {
  it('opens when calls fail, and names the dependency and when to come again', async () => {
    const { breaker, failing, guard, call } = start()
    await failing('UNAVAILABLE', 10)
    expect(breaker.state()).toBe('open')
    const refused = { code: 'UNAVAILABLE', retryAfterMs: 1_000, message: expect.stringMatching(/^The store: 10 of/) }
    await expect(guard.run(call(), async () => 1)).rejects.toEqual(expect.objectContaining(refused))
  })

  it.each<ErrorCode>(['QUERY_TOO_COSTLY', 'REQUEST_INVALID', 'CANCELLED', 'INTERNAL', 'NOT_YET_STORED'])(
    'stays closed whatever calls themselves are to blame for: %s',
    async (code) => {
      const { breaker, failing } = start()
      await failing(code, 50)
      expect(breaker.state()).toBe('closed')
    },
  )

  it('leaves calls alone that take long while a small question is answered at once', async () => {
    const { breaker, guard, state, call } = start()
    const calls = Array.from({ length: 20 }, () => heavy(guard, call()))
    await delay(200)
    expect(state.asked).toBe(1)
    expect(breaker.state()).toBe('closed')
    for (const one of calls) one.end()
    expect(await Promise.all(calls.map(({ result }) => result))).toHaveLength(20)
  })

  it('opens and ends calls that take long when a small question is not answered either', async () => {
    const { breaker, guard, state, call } = start({ slowMs: 150 })
    state.well = false
    const calls = Array.from({ length: 20 }, () => heavy(guard, call()))
    for (const { result } of calls) await expect(result).rejects.toEqual(unavailable)
    expect(breaker.state()).toBe('open')
  })

  it('ends a call that took long already when the dependency falls sick', async () => {
    const { guard, state, call, clock } = start()
    const one = heavy(guard, call())
    await delay(300)
    state.well = false
    // The last small question was answered; the next one may be asked now.
    clock.advance(1_000)
    await expect(one.result).rejects.toEqual(unavailable)
  })

  it('has patience, where it is told to', async () => {
    const { breaker, guard, state, call, failing } = start({ slowMs: 150 }, true)
    state.well = false
    const calls = Array.from({ length: 20 }, () => heavy(guard, call()))
    await delay(200)
    for (const one of calls) one.end()
    await Promise.all(calls.map(({ result }) => result))
    expect(breaker.state()).toBe('closed')
    await failing('UNAVAILABLE', 21)
    expect(breaker.state()).toBe('open')
  })

  it('takes one that ran out of time for a failure only when it is sick', async () => {
    const { breaker, guard, failing, state, call } = start({ slowMs: 150 })
    await failing('DEADLINE_EXCEEDED', 20)
    expect(breaker.state()).toBe('closed')
    state.well = false
    const one = heavy(guard, call())
    await delay(120)
    await failing('DEADLINE_EXCEEDED', 10)
    expect(breaker.state()).toBe('open')
    one.end()
  })

  it('finds out by a small question whether it is back, and lets the next call through then', async () => {
    const { breaker, guard, failing, state, clock, call } = start()
    await failing('UNAVAILABLE', 10)
    state.well = false
    clock.advance(1_000)
    let called = 0
    const work = async () => ++called
    await expect(guard.run(call(), work)).rejects.toEqual(expect.objectContaining({ retryAfterMs: 2_000 }))
    expect([state.asked, called]).toEqual([1, 0])
    state.well = true
    clock.advance(2_000)
    expect(await guard.run(call(), work)).toBe(1)
    expect(breaker.state()).toBe('closed')
  })

  it('tells a caller that left why it ended', async () => {
    const { guard } = start()
    const left = new AbortController()
    const one = heavy(guard, systemCall(systemClock, 60_000, left.signal))
    left.abort()
    await expect(one.result).rejects.toEqual(expect.objectContaining({ code: 'CANCELLED', message: 'cut' }))
  })
})
