import {
  type Absence,
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type EventLog,
  noMetrics,
  type Postgres,
  systemCall,
} from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { ManualClock } from '../discovery/manual-clock.fixture.ts'
import { ProcessHealth } from './process-health.ts'
import { ClickHouseWatch } from './watched-clickhouse.ts'
import { WatchedLog } from './watched-log.ts'
import { watchPort } from './watched-port.ts'
import { PostgresWatch } from './watched-postgres.ts'

function start() {
  const clock = new ManualClock()
  const health = new ProcessHealth({ clock, metrics: noMetrics })
  const call: Call = systemCall(clock, 1_000, new AbortController().signal)
  return { clock, health, call, of: (name: string) => health.dependencies()[name] }
}

const wait = (clock: ManualClock, seconds: number, health: ProcessHealth) => {
  for (let i = 0; i < seconds; i++) {
    clock.advance(1_000)
    health.parts()
  }
  return health.parts()
}

/** Takes 5 ms to a connection, 7 ms for a statement, 11 ms to commit. */
function postgres(clock: ManualClock): Postgres & { connections: { used: number; idle: number; waiting: number } } {
  const query = async <T>(): Promise<T[]> => {
    clock.advance(7)
    return []
  }
  return {
    query,
    tx: async (fn) => {
      clock.advance(5)
      const value = await fn({ query })
      clock.advance(11)
      return value
    },
    listen: () => ({ stop: async () => undefined }),
    connections: { used: 1, idle: 0, waiting: 0 },
  }
}

it('takes a transaction for its way to a connection, its statements and its commit, and not for what is done meanwhile', async () => {
  const { clock, health, of } = start()
  const watched = new PostgresWatch(health).over(postgres(clock), 'sagas')
  const result = await watched.tx(async (tx) => {
    await tx.query('SELECT 1')
    clock.advance(20_000) // somebody else is called
    await tx.query('SELECT 1')
    return 'done'
  })
  expect(result).toBe('done')
  expect(of('postgres sagas')).toMatchObject({ calls: 4, errorRate: 0 })
  expect(of('postgres sagas')!.p99Ms).toBeLessThan(13)
})

it('does not blame Postgres for what a transaction throws, and does for one that does not begin or commit', async () => {
  const { clock, health, of } = start()
  const pool = postgres(clock)
  const watched = new PostgresWatch(health).over(pool, 'sagas')
  const mine = new Error('mine')
  await expect(watched.tx(() => Promise.reject(mine))).rejects.toBe(mine)
  expect(of('postgres sagas')).toMatchObject({ calls: 1, errorRate: 0 })
  const away = new AppError('UNAVAILABLE', 'away')
  const notBegun = new PostgresWatch(health).over({ ...pool, tx: () => Promise.reject(away) }, 'edge')
  await expect(notBegun.tx(async () => 1)).rejects.toBe(away)
  expect(of('postgres edge')).toMatchObject({ calls: 1, errorRate: 1 })
  const notCommitted = async <T>(fn: (tx: Postgres) => Promise<T>): Promise<T> => {
    await fn(pool)
    throw away
  }
  const lost = new PostgresWatch(health).over({ ...pool, tx: notCommitted as Postgres['tx'] }, 'storage')
  await expect(lost.tx(async () => 1)).rejects.toBe(away)
  expect(of('postgres storage')).toMatchObject({ calls: 2, errorRate: 0.5 })
})

it('is one pool however often it is asked for', () => {
  const { clock, health } = start()
  const watch = new PostgresWatch(health)
  const pool = postgres(clock)
  expect(watch.over(pool, 'edge')).toBe(watch.over(pool, 'edge'))
})

it('sees reads and inserts of ClickHouse apart, and takes an engine that is short of memory for away', async () => {
  const { clock, health, call, of } = start()
  const full = new ClickHouseError(241, 'MEMORY_LIMIT_EXCEEDED', 'x', true)
  const driver = { rows: async () => [], insert: () => Promise.reject(full) } as unknown as ClickHouse
  const ping = async () => undefined
  const watched = new ClickHouseWatch(health).over(driver, { clock, own: false, ping })
  await watched.rows({ sql: 'SELECT 1' }, call)
  for (let i = 0; i < 5; i++) await watched.insert({} as never, call).catch(() => undefined)
  expect(of('clickhouse read')).toMatchObject({ calls: 1 })
  expect(of('clickhouse insert')).toMatchObject({ state: 'down', calls: 5, errorRate: 1 })
  const reason = 'ClickHouse: ClickHouse refused it: MEMORY_LIMIT_EXCEEDED (241)'
  expect(health.parts().clickhouse).toEqual({ state: 'degraded', reason })
})

function watchedLog(append: EventLog['append'], full = false, consume?: EventLog['consume']) {
  const all = start()
  const log = { partitions: 1, end: () => 0, append, consume } as unknown as EventLog
  const options = { name: 'log' as const, lags: () => new Map(), full: () => full, needs: () => [] }
  return { ...all, log: new WatchedLog(log, all.health, options) }
}

it('is wedged by an append that does not become durable, and well again after it', async () => {
  const { promise, resolve } = Promise.withResolvers<[]>()
  const { clock, health, log, call } = watchedLog(() => promise)
  const appended = log.append([], call)
  expect(wait(clock, 10, health).log!.state).toBe('degraded')
  const reason = 'an append has waited for 11 s to become durable'
  expect(wait(clock, 1, health).log).toEqual({ state: 'down', reason })
  resolve([])
  await appended
  expect(wait(clock, 5, health).log).toEqual({ state: 'ok' })
})

it('is never wedged by taking less than what comes, and by others being in the way of one append', async () => {
  const busy = new AppError('OVERLOADED', 'too many bytes')
  const { clock, health, log, call } = watchedLog(() => Promise.reject(busy))
  for (let i = 0; i < 30; i++) {
    await log.append([], call).catch(() => undefined)
    expect(wait(clock, 2, health).log).toEqual({ state: 'degraded', reason: 'more is appended than it takes' })
  }
  expect(wait(clock, 6, health).log).toEqual({ state: 'ok' })
})

it('is down when there is no room and nothing else to do', () => {
  const { clock, health } = watchedLog(async () => [], true)
  expect(wait(clock, 8, health).log).toEqual({ state: 'down', reason: 'there is no room for events' })
})

it('is wedged by a consumer that is out of its group, and not while the log is not well', async () => {
  let absence: Absence | undefined
  const consumption = {
    get absence() {
      return absence
    },
    stop: async () => undefined,
  }
  const { clock, health, log } = watchedLog(
    async () => [],
    false,
    async () => consumption,
  )
  await log.consume('storage', async () => undefined)
  const since = clock.monotonic()
  expect(wait(clock, 30, health).storage).toEqual({ state: 'ok' })
  absence = { since: clock.monotonic(), why: 'not let in' }
  expect(wait(clock, 5, health).storage).toEqual({ state: 'ok' })
  // As long as a group waits for its slowest member.
  expect(wait(clock, 7, health).storage!.state).toBe('degraded')
  const reason = 'out of its consumer group for 14 s: not let in'
  expect(wait(clock, 2, health).storage).toEqual({ state: 'down', reason })
  absence = undefined
  expect(wait(clock, 5, health).storage).toEqual({ state: 'ok' })
  // The disk of the log, or Kafka: the process is not to blame.
  health.add({ part: 'log', read: () => ({ state: 'degraded', reason: 'away' }) })
  absence = { since, why: 'nobody answers' }
  expect(wait(clock, 60, health).storage!.state).toBe('degraded')
})

it('hands on calls of a port, and blames nobody for a refusal', async () => {
  const { health, call, of } = start()
  const refusal = new AppError('NOT_YET_STORED', 'not yet')
  const port = watchPort(
    'storage.read',
    { list: async (input: number) => input + 1, wait: () => Promise.reject(refusal) },
    health,
  )
  expect(await (port.list as (input: number, call: Call) => Promise<number>)(1, call)).toBe(2)
  await expect((port.wait as () => Promise<void>)()).rejects.toBe(refusal)
  expect(of('link storage.read')).toMatchObject({ calls: 2, errorRate: 0 })
})
