import type { Clock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
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

const hour = 3_600_000

/** A watch that has heard Postgres, which was right; then time goes on, and clocks are moved. */
function agreed() {
  const { time, clock, advance } = clocks()
  const watch = new ClockWatch(clock)
  let postgresBy = 0
  /** A second of the process: it asks everybody. `others`: how far each of them is from the true time. */
  const look = (others: Record<string, number> = {}) => {
    for (let i = 0; i < 2; i++) {
      advance(500)
      watch.tick()
    }
    // The true time: what the monotonic clock says.
    const now = 1_000_000 + time.monotonic
    watch.compare(now + postgresBy)
    for (const [name, by] of Object.entries(others)) watch.heard(name, now + by)
    return watch.health(time.monotonic)
  }
  const movePostgres = (ms: number) => {
    postgresBy += ms
  }
  return { time, watch, look, movePostgres }
}

describe('a clock that is not that of Postgres', () => {
  it('is ours when it was ours that moved, until it is right', () => {
    const { time, look } = agreed()
    expect(look()).toEqual({ state: 'ok' })
    time.wall += 29_999
    expect(look()).toEqual({ state: 'ok' })
    time.wall += 1
    expect(look()).toEqual({ state: 'down', reason: 'the clock is 30 s ahead of that of Postgres' })
    time.wall -= 15_000
    expect(look()).toEqual({ state: 'down', reason: 'the clock is 15 s ahead of that of Postgres' })
    time.wall -= 1
    expect(look()).toEqual({ state: 'ok' })
  })

  it('is Postgres’s when ours did not move: the process stays in service', () => {
    const { look, movePostgres } = agreed()
    look()
    movePostgres(hour)
    const reason = 'the clock is 3600 s behind that of Postgres, which has moved'
    for (let i = 0; i < 200; i++) expect(look()).toEqual({ state: 'degraded', reason })
    movePostgres(-hour)
    expect(look()).toEqual({ state: 'ok' })
  })

  it('is nobody’s when that is how it began and nobody else tells the time', () => {
    const { look, movePostgres } = agreed()
    movePostgres(-hour)
    const reason = 'the clock is 3600 s ahead of that of Postgres, and nobody tells which of them is wrong'
    expect(look()).toEqual({ state: 'degraded', reason })
  })

  it('is whose the others say it is, also at the start', () => {
    const { look, movePostgres } = agreed()
    movePostgres(hour)
    look({ ClickHouse: 400 })
    const reason = 'the clock is 3600 s behind that of Postgres, which is wrong by that of ClickHouse'
    expect(look({ ClickHouse: -400 })).toEqual({ state: 'degraded', reason })
    look({ a: hour, b: hour })
    expect(look({ a: hour, b: hour }).state).toBe('down')
    const blamed = { state: 'down', reason: 'the clock is 3600 s behind that of Postgres, and of a' }
    expect(look({ a: hour, b: hour })).toEqual(blamed)
  })

  it('is not judged by others that were not heard for a minute, and of many the last are known', () => {
    const { look, movePostgres } = agreed()
    look()
    for (let i = 0; i < 1_000; i++) look({ [`gone ${i}`]: hour })
    movePostgres(hour)
    expect(look().state).toBe('down')
    for (let i = 0; i < 60; i++) look()
    expect(look().state).toBe('degraded')
  })

  it('is right again when it was set right though Postgres is away', () => {
    const { time, watch, look } = agreed()
    look()
    time.wall += 20_000
    look()
    time.wall += 20_000
    expect(look().state).toBe('down')
    for (let i = 0; i < 2; i++) {
      time.wall -= 20_000
      watch.tick()
    }
    expect(watch.health(time.monotonic)).toEqual({ state: 'ok' })
  })

  it('is not held against a machine that slept: its monotonic clock stood still', () => {
    const { time, watch, look } = agreed()
    look()
    time.wall += hour
    watch.tick()
    time.monotonic += 10_000
    time.wall += 10_000
    watch.tick()
    expect(watch.health(time.monotonic)).toEqual({ state: 'ok' })
  })
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
