import { setTimeout as delay } from 'node:timers/promises'
import { type Breaker, type Judge, noMetrics, silentLogger, systemClock, type Verdict } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import type { BreakerLimits } from './breaker.ts'
import { createBreakers } from './breakers.ts'

const judge: Judge<Verdict> = { value: (verdict) => verdict, error: () => 'bad' }
const opened = expect.objectContaining({ code: 'UNAVAILABLE' })
const overloaded = expect.objectContaining({ code: 'OVERLOADED' })

function start(limits: Partial<BreakerLimits> = {}, maxConcurrent = 100) {
  const clock = new ManualClock()
  const openings: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => openings.push(message) }
  const breakers = createBreakers({ kind: 'test', clock, logger, metrics: noMetrics, limits })
  const breaker = breakers.get('a', maxConcurrent)
  const end = (verdict: Verdict) => breaker.run(async () => verdict, judge)
  const many = async (n: number, verdict: Verdict) => {
    for (let i = 0; i < n; i++) await end(verdict)
  }
  return { clock, openings, breakers, breaker, end, many }
}

/** A call that ends when the test says so. */
function held(breaker: Breaker, signal?: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  let begun = false
  const work = () => {
    begun = true
    return promise
  }
  const result = breaker.run(work, judge, signal)
  result.catch(() => {})
  return { result, end: resolve, begun: () => begun }
}

const settled = () => delay(1)

describe('a breaker', () => {
  it('hands on results and errors as they are', async () => {
    const { breaker } = start()
    expect(await breaker.run(async () => 'bad', judge)).toBe('bad')
    const error = new Error('no')
    await expect(breaker.run(() => Promise.reject(error), judge)).rejects.toBe(error)
  })

  it('opens when more than half of at least 20 calls were bad, and then calls nothing', async () => {
    const { breaker, many, end, openings } = start()
    await many(19, 'bad')
    expect(breaker.state()).toBe('closed')
    await end('bad')
    expect(breaker.state()).toBe('open')
    expect(breaker.blocked()).toBe('20 of the last 20 calls failed or took over 1000 ms; next try in 1000 ms')
    const call = held(breaker)
    await expect(call.result).rejects.toEqual(expect.objectContaining({ code: 'UNAVAILABLE', retryAfterMs: 1_000 }))
    expect(call.begun()).toBe(false)
    expect(openings).toHaveLength(1)
  })

  it('stays closed while half are good', async () => {
    const { breaker, end } = start()
    for (let i = 0; i < 100; i++) await end(i % 2 === 0 ? 'good' : 'bad')
    expect(breaker.state()).toBe('closed')
    expect(breaker.blocked()).toBeUndefined()
  })

  it('forgets what was longer ago than its window', async () => {
    const { breaker, many, clock } = start()
    await many(19, 'bad')
    clock.advance(11_000)
    await many(19, 'bad')
    expect(breaker.state()).toBe('closed')
  })

  it('lets one call through when its time is over, and closes when that is good', async () => {
    const { breaker, many, clock } = start()
    await many(20, 'bad')
    clock.advance(999)
    await expect(held(breaker).result).rejects.toEqual(opened)
    clock.advance(1)
    expect(breaker.state()).toBe('half-open')
    expect(breaker.blocked()).toBeUndefined()
    const probe = held(breaker)
    const others = Array.from({ length: 50 }, () => held(breaker))
    for (const other of others) {
      await expect(other.result).rejects.toEqual(opened)
      expect(other.begun()).toBe(false)
    }
    expect(breaker.blocked()).toContain('a call finds out; next try in 1000 ms')
    probe.end('good')
    await probe.result
    expect(breaker.state()).toBe('closed')
  })

  it('stays open twice as long after each bad probe, up to a limit, and begins anew after a good one', async () => {
    const { breaker, many, end, clock } = start()
    await many(20, 'bad')
    for (const ms of [1_000, 2_000, 4_000, 4_000]) {
      clock.advance(ms - 1)
      expect(breaker.state()).toBe('open')
      clock.advance(1)
      await end('bad')
    }
    clock.advance(4_000)
    await end('good')
    await many(20, 'bad')
    expect(breaker.blocked()).toContain('next try in 1000 ms')
  })

  it('knows nothing of old failures once it has closed', async () => {
    const { breaker, many, end, clock } = start()
    await many(20, 'bad')
    clock.advance(1_000)
    await end('good')
    await many(19, 'bad')
    expect(breaker.state()).toBe('closed')
    await end('bad')
    expect(breaker.state()).toBe('open')
  })

  it('takes no call from before the opening for the probe', async () => {
    const { breaker, many, clock } = start()
    const [good, bad] = [held(breaker), held(breaker)]
    await many(20, 'bad')
    clock.advance(1_000)
    const probe = held(breaker)
    good.end('good')
    await good.result
    expect(breaker.state()).toBe('half-open')
    bad.end('bad')
    await bad.result
    expect(breaker.state()).toBe('half-open')
    probe.end('good')
    await probe.result
    expect(breaker.state()).toBe('closed')
  })

  it('lets another call find out when a probe says nothing', async () => {
    const { breaker, many, end, clock } = start()
    await many(20, 'bad')
    clock.advance(1_000)
    await end('none')
    expect(breaker.state()).toBe('half-open')
    await end('good')
    expect(breaker.state()).toBe('closed')
  })

  it('opens on calls that take too long while they still run, and does not cut them', async () => {
    const { breaker } = start({ slowMs: 30 })
    const calls = Array.from({ length: 20 }, () => held(breaker))
    expect(breaker.state()).toBe('closed')
    await delay(60)
    expect(breaker.state()).toBe('open')
    for (const call of calls) call.end('good')
    expect(await Promise.all(calls.map(({ result }) => result))).toEqual(calls.map(() => 'good'))
    expect(breaker.state()).toBe('open')
  })

  it('takes a slow probe for a bad one', async () => {
    const { breaker, many, clock } = start({ slowMs: 30 })
    await many(20, 'bad')
    clock.advance(1_000)
    const probe = held(breaker)
    await delay(60)
    expect(breaker.blocked()).toContain('next try in 2000 ms')
    probe.end('good')
    await probe.result
    expect(breaker.state()).toBe('open')
  })
})

describe('a bulkhead', () => {
  it('lets so many run, a few more wait in order, and the rest are refused', async () => {
    const { breaker, clock } = start({ maxWaiting: 2 }, 2)
    const running = [held(breaker), held(breaker)]
    const waiting = [held(breaker), held(breaker)]
    expect(breaker.blocked()).toBe('2 calls run at once already')
    await expect(held(breaker).result).rejects.toEqual(overloaded)
    expect(waiting.map((call) => call.begun())).toEqual([false, false])
    clock.advance(160)
    running[0]!.end('good')
    await settled()
    expect(waiting.map((call) => call.begun())).toEqual([true, false])
    expect(breaker.blocked()).toBeUndefined()
  })

  it('tells those whom it refuses to come one after another, as places become free', async () => {
    const { breaker, clock } = start({ maxWaiting: 0 }, 10)
    const end = async () => {
      const call = held(breaker)
      clock.advance(200)
      call.end('good')
      await call.result
    }
    for (let i = 0; i < 100; i++) await end()
    const running = Array.from({ length: 10 }, () => held(breaker))
    const after: number[] = []
    for (let i = 0; i < 1_000; i++) {
      await held(breaker).result.catch(({ retryAfterMs }) => after.push(retryAfterMs))
    }
    // Ten places, each for 200 ms: one is free every 20 ms. Nobody is told more than 10 s.
    expect(after.slice(0, 5)).toEqual([20, 40, 60, 80, 100])
    expect(Math.max(...after)).toBe(10_000)
    for (const { end: endOne } of running) endOne('good')
  })

  it('lets nobody wait for long', async () => {
    const clock = systemClock
    const limits = { maxWaitMs: 20 }
    const breaker = createBreakers({ kind: 'test', clock, logger: silentLogger, metrics: noMetrics, limits }).get(
      'a',
      1,
    )
    const running = held(breaker)
    const from = clock.monotonic()
    const first = held(breaker)
    await delay(10)
    const second = held(breaker)
    await expect(first.result).rejects.toEqual(overloaded)
    await expect(second.result).rejects.toEqual(overloaded)
    expect(clock.monotonic() - from).toBeGreaterThan(28)
    running.end('good')
    await running.result
    expect(await breaker.run(async () => 'good', judge)).toBe('good')
  })

  it('gives the turn of one who left to the next', async () => {
    const { breaker } = start({}, 1)
    const running = held(breaker)
    const leave = new AbortController()
    const leaver = held(breaker, leave.signal)
    const next = held(breaker)
    leave.abort()
    await expect(leaver.result).rejects.toEqual(expect.objectContaining({ code: 'CANCELLED' }))
    await expect(held(breaker, leave.signal).result).rejects.toEqual(expect.objectContaining({ code: 'CANCELLED' }))
    running.end('good')
    await settled()
    expect(leaver.begun()).toBe(false)
    expect(next.begun()).toBe(true)
  })

  it('lets nobody through whose breaker opened meanwhile, and the probe past calls that hang', async () => {
    const { breaker, breakers, clock } = start({ minCalls: 1, badPercent: 40 }, 2)
    const [bad, hanging] = [held(breaker), held(breaker)]
    const waiting = held(breaker)
    bad.end('bad')
    await expect(waiting.result).rejects.toEqual(opened)
    expect(waiting.begun()).toBe(false)
    clock.advance(1_000)
    const probe = held(breakers.get('a', 1))
    await expect(held(breaker).result).rejects.toEqual(opened)
    probe.end('good')
    await probe.result
    const next = held(breaker)
    await settled()
    expect(next.begun(), 'the one that hangs still has its place').toBe(false)
    hanging.end('good')
    await settled()
    expect(next.begun()).toBe(true)
  })

  it('gives the place back when work throws at once', async () => {
    const { breaker } = start({}, 1)
    const thrown = new Error('at once')
    const work = () => {
      throw thrown
    }
    await expect(breaker.run(work, judge)).rejects.toBe(thrown)
    expect(await breaker.run(async () => 'good', judge)).toBe('good')
  })
})

describe('breakers', () => {
  it('are apart by name, and forgotten when nobody used them for an hour', async () => {
    const { breakers, breaker, many, clock } = start()
    await many(20, 'bad')
    expect(breakers.get('b', 1).state()).toBe('closed')
    expect(breakers.find('a')).toBe(breaker)
    expect(breakers.find('c')).toBeUndefined()
    clock.advance(3_000_000)
    const long = held(breakers.get('b', 1))
    clock.advance(4_000_000)
    breakers.get('c', 1)
    expect(breakers.find('a')).toBeUndefined()
    expect(breakers.find('b')).toBeDefined()
    long.end('good')
  })

  it('are counted in metrics', async () => {
    const gauges = new Map<string, () => number>()
    const metrics = {
      ...noMetrics,
      gauge: (name: string, _: string, read: () => number) => void gauges.set(name, read),
    }
    const clock = new ManualClock()
    const breakers = createBreakers({ kind: 'test', clock, logger: silentLogger, metrics, limits: { minCalls: 1 } })
    await breakers.get('a', 1).run(async () => 'bad', judge)
    held(breakers.get('b', 1))
    held(breakers.get('b', 1))
    const values = Object.fromEntries(
      [...gauges].map(([name, read]) => [name.replace('splitstream.test.', ''), read()]),
    )
    expect(values).toEqual({
      breakers: 2,
      'breakers.open': 1,
      'breakers.half_open': 0,
      'calls.running': 1,
      'calls.waiting': 1,
    })
    clock.advance(1_000)
    expect(gauges.get('splitstream.test.breakers.half_open')?.()).toBe(1)
  })
})
