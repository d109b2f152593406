import { setImmediate as turn } from 'node:timers/promises'
import { type Judge, noMetrics, silentLogger } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { createBreakers } from '../resilience/breakers.ts'
import { ProcessHealth } from './process-health.ts'
import { watchBreakers } from './watched-breakers.ts'

const judge: Judge<number> = { value: (status) => (status >= 500 ? 'bad' : 'good'), error: () => 'none' }

function start() {
  const clock = new ManualClock()
  const health = new ProcessHealth({ clock, metrics: noMetrics })
  const limits = { minCalls: 5 }
  const all = createBreakers({ kind: 'saga_participants', clock, logger: silentLogger, metrics: noMetrics, limits })
  const breakers = watchBreakers(all, 'participants', health)
  const call = async (name: string, status: number, times: number) => {
    for (let i = 0; i < times; i++) await breakers.get(name, 8).run(async () => status, judge)
  }
  return { clock, breakers, call, row: () => health.dependencies().participants! }
}

it('shows all calls together, and how many participants are not called, without their names', async () => {
  const { breakers, call, row } = start()
  await call('acme shop forward', 200, 30)
  expect(row()).toMatchObject({ state: 'ok', calls: 30, errorRate: 0 })
  await call('umbrella mill forward', 503, 5)
  expect(breakers.find('umbrella mill forward')?.state()).toBe('open')
  expect(row()).toEqual({
    ...{ state: 'degraded', reason: '1 of 2 are not called, as calls of them failed or were slow' },
    ...{ calls: 35, errorRate: 0.143, p50Ms: expect.any(Number), p99Ms: expect.any(Number) },
  })
  // A call that is refused is none.
  await expect(call('umbrella mill forward', 200, 1)).rejects.toThrow()
  expect(row().calls).toBe(35)
})

it('takes an error that says nothing for no call, and hands it on', async () => {
  const { breakers, row } = start()
  const error = new Error('left')
  await expect(breakers.get('one', 8).run(() => Promise.reject(error), judge)).rejects.toBe(error)
  expect(row()).toMatchObject({ state: 'ok', calls: 0 })
})

it('is never down, and well again once nobody calls those that are open', async () => {
  const { clock, call, row } = start()
  await call('one', 503, 5)
  expect(row().state).toBe('degraded')
  clock.advance(31_000)
  expect(row()).toMatchObject({ state: 'ok', calls: 0 })
})

it('takes for its time what a call took once it had its turn', async () => {
  const { clock, breakers, row } = start()
  const [first, second] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  const one = breakers.get('one', 1).run(() => first.promise, judge)
  const two = breakers.get('one', 1).run(() => second.promise, judge)
  clock.advance(100)
  first.resolve(200)
  expect(await one).toBe(200)
  await turn()
  clock.advance(100)
  second.resolve(200)
  expect(await two).toBe(200)
  expect(row().calls).toBe(2)
  expect(row().p50Ms).toBeCloseTo(100, -1)
  expect(row().p99Ms).toBeCloseTo(100, -1)
})

it('tells an error that is the fault of the one that is called from an answer', async () => {
  const { breakers, row } = start()
  const error = new Error('refused')
  const failing: Judge<number> = { ...judge, error: () => 'bad' }
  await expect(breakers.get('one', 8).run(() => Promise.reject(error), failing)).rejects.toBe(error)
  expect(row()).toMatchObject({ calls: 1, errorRate: 1 })
})
