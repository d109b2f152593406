import { AppError } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { Dependency } from './dependency.ts'
import { verdictOf } from './verdicts.ts'

const judge = (error: unknown, ms: number) => verdictOf(error, ms, 1_000)

function start() {
  const clock = new ManualClock()
  const dependency = new Dependency('one', clock, { slowMs: 1_000, hungMs: 10_000 })
  const call = async (ms: number, error?: AppError) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const result = dependency.run(() => promise, judge)
    clock.advance(ms)
    if (error) reject(error)
    else resolve('it')
    return await result
  }
  return { clock, dependency, call, view: () => dependency.view(clock.monotonic()) }
}

it('hands on results and errors, and counts them', async () => {
  const { call, view } = start()
  expect(await call(20)).toBe('it')
  const error = new AppError('UNAVAILABLE', 'away')
  await expect(call(20, error)).rejects.toBe(error)
  expect(view()).toMatchObject({ state: 'ok', calls: 2, errorRate: 0.5 })
  expect(view().p50Ms).toBeCloseTo(20, -1)
})

it('takes what the caller is to blame for as an answer, and one that left for nothing', async () => {
  const { call, view } = start()
  await call(5, new AppError('REQUEST_INVALID', 'no')).catch(() => undefined)
  await call(5, new AppError('CANCELLED', 'gone')).catch(() => undefined)
  await call(900, new AppError('DEADLINE_EXCEEDED', 'too small a budget')).catch(() => undefined)
  expect(view()).toMatchObject({ calls: 1, errorRate: 0 })
  await call(1_000, new AppError('DEADLINE_EXCEEDED', 'slow')).catch(() => undefined)
  expect(view()).toMatchObject({ calls: 2, errorRate: 0.5 })
})

it('tells of a call that is not answered while it waits, unless others are answered', async () => {
  const { clock, dependency, call, view } = start()
  const hung = Promise.withResolvers<void>()
  const waiting = dependency.run(() => hung.promise, judge)
  clock.advance(9_000)
  await call(500)
  clock.advance(9_000)
  expect(view().state).toBe('ok')
  clock.advance(1_000)
  expect(view()).toMatchObject({ state: 'down', reason: 'no answer for 10 s' })
  hung.resolve()
  await waiting
  clock.advance(5_000)
  expect(view().state).toBe('ok')
})

it('shows how far consumers are behind, when somebody can say', async () => {
  const clock = new ManualClock()
  let lags: () => Promise<ReadonlyMap<string, number>> = async () => new Map([['storage', 7]])
  const dependency = new Dependency('log append', clock, { lags: () => lags() })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  dependency.refreshLag()
  await settled()
  expect(dependency.view(0).lag).toEqual({ storage: 7 })
  lags = () => Promise.reject(new Error('away'))
  dependency.refreshLag()
  await settled()
  expect(dependency.view(0).lag).toBeUndefined()
})

it('judges one that is called seldom by more of its calls', async () => {
  const { clock, call, view } = start()
  for (let i = 0; i < 4; i++) {
    await call(10, new AppError('UNAVAILABLE', 'away')).catch(() => undefined)
    clock.advance(5_000)
  }
  expect(view().state).toBe('ok')
  await call(10, new AppError('UNAVAILABLE', 'away')).catch(() => undefined)
  expect(view()).toMatchObject({ state: 'down', reason: '5 of 5 calls failed in 30 s' })
})
