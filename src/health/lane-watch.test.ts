import { setImmediate as settled } from 'node:timers/promises'
import type { Lane, LogRecord } from '@splitstream/kernel'
import { silentLogger } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { runLane } from '../transports/run-lane.ts'
import { LaneWatch } from './lane-watch.ts'

const record = (baseOffset: number, count: number) => ({ partition: 0, baseOffset, count }) as LogRecord

function start(handler: (lane: Lane) => Promise<void>, { known = true } = {}) {
  const clock = new ManualClock()
  const log = { end: 0, records: [] as LogRecord[] }
  let cause: string | undefined
  const lanes = new LaneWatch({
    now: () => clock.monotonic(),
    end: () => (known ? log.end : undefined),
    cause: () => cause,
  })
  const stop = new AbortController()
  const lane: Lane = {
    partition: 0,
    signal: stop.signal,
    bounds: async () => ({ start: 0, end: log.end }),
    committed: async () => 0,
    read: async () => log.records,
    commit: async () => undefined,
  }
  void runLane(lane, lanes.watch('storage', handler), { clock, logger: silentLogger })
  const append = (count: number) => {
    log.records = [record(log.end, count)]
    log.end += count
  }
  const health = () => lanes.health('storage', clock.monotonic())
  const because = (why: string) => {
    cause = why
  }
  return { clock, append, health, stop, because }
}

const limits = { maxEvents: 1, maxBytes: 1, waitMs: 0 }
const hangs = () => new Promise<never>(() => {})

it('is well while there is nothing to do, for however long', async () => {
  const { clock, health } = start(async (lane) => {
    await lane.commit(0)
    await hangs()
  })
  await settled()
  clock.advance(3_600_000)
  expect(health()).toEqual({ state: 'ok' })
})

it('tells of a lane that does not move though there is something to do, with what may be the cause', async () => {
  const { clock, append, health, because } = start(async (lane) => {
    await lane.commit(0)
    await hangs()
  })
  await settled()
  append(3)
  expect(health().state).toBe('ok')
  clock.advance(4_000)
  because('clickhouse insert: no answer for 10 s')
  expect(health()).toEqual({
    state: 'degraded',
    reason: 'partition 0 has not moved on for 4 s: 3 events wait; clickhouse insert: no answer for 10 s',
  })
})

it('is well as long as it moves, however much is left', async () => {
  let go = (): void => {}
  const { clock, append, health } = start(async (lane) => {
    for (let next = 0; ; next++) {
      await lane.commit(next)
      const { promise, resolve } = Promise.withResolvers<void>()
      go = resolve
      await promise
    }
  })
  await settled()
  append(1_000)
  for (let i = 0; i < 100; i++) {
    clock.advance(3_000)
    expect(health()).toEqual({ state: 'ok' })
    go()
    await settled()
  }
})

it('is well while work on one block goes on', async () => {
  let go = (): void => {}
  const { clock, append, health } = start(async (lane) => {
    await lane.commit(0)
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>()
      go = resolve
      await promise
      lane.working?.()
    }
  })
  await settled()
  append(1_000)
  for (let i = 0; i < 20; i++) {
    clock.advance(3_000)
    expect(health()).toEqual({ state: 'ok' })
    go()
    await settled()
  }
  clock.advance(4_000)
  expect(health().state).toBe('degraded')
})

it('takes a commit that says nothing new for no progress: a consumer that fails and begins again', async () => {
  const { clock, append, health } = start(async (lane) => {
    await lane.commit(5)
    throw new Error('read-only')
  })
  await settled()
  append(9)
  health()
  for (let i = 0; i < 8; i++) {
    clock.advance(1_000)
    await settled()
  }
  expect(health()).toEqual({ state: 'degraded', reason: 'partition 0 has not moved on for 8 s: 4 events wait' })
})

it('knows by what was read that there is something to do, where the end is not known', async () => {
  const { clock, health } = start(
    async (lane) => {
      await lane.committed()
      await lane.read(0, limits)
      await hangs()
    },
    { known: false },
  )
  await settled()
  clock.advance(60_000)
  expect(health()).toEqual({ state: 'ok' })
  const other = start(
    async (lane) => {
      await lane.committed()
      await settled()
      await lane.read(0, limits)
      await hangs()
    },
    { known: false },
  )
  other.append(2)
  await settled()
  await settled()
  other.clock.advance(5_000)
  expect(other.health()).toEqual({ state: 'degraded', reason: 'partition 0 has not moved on for 5 s' })
})

it('tells of a consumer that has ended and is not run again', async () => {
  const clock = new ManualClock()
  const lanes = new LaneWatch({ now: () => clock.monotonic(), end: () => 0, cause: () => undefined })
  const commit = async () => undefined
  const lane = { partition: 3, signal: new AbortController().signal, commit } as unknown as Lane
  await lanes.watch('sagas', (one) => one.commit(0))(lane) // a loop that nobody runs anew
  clock.advance(5_999)
  expect(lanes.health('sagas', clock.monotonic())).toEqual({ state: 'ok' })
  clock.advance(1)
  const reason = 'nobody consumes partition 3: its consumer has ended'
  expect(lanes.health('sagas', clock.monotonic())).toEqual({ state: 'degraded', reason })
})

it('forgets a lane that was given away', async () => {
  const { clock, append, health, stop } = start(async (lane) => {
    await lane.commit(0)
    await hangs()
  })
  await settled()
  append(3)
  health()
  clock.advance(60_000)
  expect(health().state).toBe('degraded')
  stop.abort()
  expect(health()).toEqual({ state: 'ok' })
})
