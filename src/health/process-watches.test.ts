import type { Clock } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ClockWatch } from './clock-watch.ts'
import { EventLoopWatch } from './event-loop.ts'
import { type Connections, PoolWatch } from './pool-watch.ts'

function clocks() {
  const time = { wall: 1_000_000, monotonic: 0 }
  const clock: Clock = { now: () => time.wall, monotonic: () => time.monotonic, sleep: async () => undefined }
  const advance = (ms: number) => {
    time.wall += ms
    time.monotonic += ms
  }
  return { time, clock, advance }
}

it('tells of an event loop that stood still for half of the last 15 s, in one go or in many', () => {
  const loop = new EventLoopWatch(500, 0)
  let now = 0
  const tick = (ms: number) => {
    now += ms
    loop.tick(now)
  }
  for (let i = 0; i < 100; i++) tick(510)
  expect(loop.health(now).state).toBe('ok')
  expect(loop.health(now + 7_600).state).toBe('ok')
  tick(8_500)
  expect(loop.health(now)).toEqual({ state: 'down', reason: 'the event loop stood still for 8 s of the last 15 s' })
  for (let i = 0; i < 30; i++) tick(500)
  expect(loop.health(now)).toEqual({ state: 'ok' })
  for (let i = 0; i < 8; i++) tick(1_500)
  expect(loop.health(now).state).toBe('down')
})

it('tells of a step of the wall clock, for 10 s', () => {
  const { time, clock, advance } = clocks()
  const watch = new ClockWatch(clock)
  for (let i = 0; i < 1_000; i++) {
    advance(500)
    time.wall += 20 // a clock that is slewed, or a little off
    watch.tick()
  }
  expect(watch.health(time.monotonic)).toEqual({ state: 'ok' })
  time.wall -= 3_600_000
  watch.tick()
  expect(watch.health(time.monotonic)).toEqual({ state: 'down', reason: 'the clock has jumped back by 3600 s' })
  advance(10_000)
  expect(watch.health(time.monotonic)).toEqual({ state: 'ok' })
})

it('tells of a clock that is not that of Postgres, until it is', () => {
  const { time, clock } = clocks()
  const watch = new ClockWatch(clock)
  const apart = (ms: number) => {
    watch.compare(time.wall - ms)
    return watch.health(0)
  }
  expect(apart(29_999)).toEqual({ state: 'ok' })
  expect(apart(-30_000)).toEqual({ state: 'down', reason: 'the clock is 30 s behind that of Postgres' })
  expect(apart(15_000)).toEqual({ state: 'down', reason: 'the clock is 15 s ahead of that of Postgres' })
  expect(apart(14_999)).toEqual({ state: 'ok' })
  expect(apart(29_999)).toEqual({ state: 'ok' })
})

function pools() {
  let now = 0
  let connections: Connections = { used: 6, idle: 0, waiting: 0 }
  const watch = new PoolWatch(() => now)
  const pool = watch.add('sagas', () => connections)
  const wait = (ms: number) => {
    for (let i = 0; i < ms; i += 500) {
      now += 500
      watch.tick()
    }
    return watch.health(now)
  }
  const set = (next: Partial<Connections>) => {
    connections = { ...connections, ...next }
  }
  return { pool, wait, set }
}

it('tells of a pool that gives out no connection while somebody waits for one', () => {
  const { pool, wait, set } = pools()
  expect(wait(60_000)).toEqual({ state: 'ok' })
  set({ waiting: 2 })
  expect(wait(3_500)).toEqual({ state: 'ok' })
  expect(wait(500)).toEqual({ state: 'degraded', reason: 'no connection of sagas was free for 4 s: all are held' })
  pool.moved()
  expect(wait(0)).toEqual({ state: 'ok' })
})

it('counts callers that waited in vain, until they do not come again', () => {
  const { pool, wait, set } = pools()
  for (let i = 0; i < 10; i++) {
    set({ waiting: 1 })
    wait(4_500)
    set({ waiting: 0 })
    pool.refused()
    wait(2_000)
  }
  expect(wait(0).state).toBe('degraded')
  expect(wait(8_000)).toEqual({ state: 'ok' })
})

it('says nothing of a queue that moves, and of a Postgres that is away', () => {
  const { pool, wait, set } = pools()
  set({ waiting: 900 })
  for (let i = 0; i < 100; i++) {
    expect(wait(3_000)).toEqual({ state: 'ok' })
    pool.moved()
  }
  set({ used: 0, waiting: 3 })
  expect(wait(60_000)).toEqual({ state: 'ok' })
})
