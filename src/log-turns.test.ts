import type { Postgres } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { connectPostgres } from './engines/postgres/driver.ts'
import { startFreezingGate } from './engines/postgres/freezing-gate.fixture.ts'
import { startTurns } from './log-turns.fixture.ts'
import { type LogName, LogTurns } from './log-turns.ts'
import { idleInTransactionMs } from './transaction-limits.ts'

let world: Awaited<ReturnType<typeof startTurns>>
let postgres: Postgres

beforeAll(async () => {
  world = await startTurns()
  postgres = world.postgres
})
afterAll(() => world.stop())
beforeEach(() => postgres.query('TRUNCATE log_turns, log_users'))

const group = 'storage'
const [empty, full] = [async () => true, async () => false]
/** What a log holds. */
const [nothing, something] = [async () => false, async () => true]

/** A process that uses a log. */
async function started(log: LogName, name: string, o: { writes: boolean; consumes: boolean }): Promise<LogTurns> {
  const turns = new LogTurns(postgres, log, name)
  await turns.enter(o.writes)
  if (o.consumes) await turns.join(group)
  return turns
}

const whole = { writes: true, consumes: true }
const [writer, consumer] = [
  { writes: true, consumes: false },
  { writes: false, consumes: true },
]

async function stop(turns: LogTurns, isEmpty = empty): Promise<void> {
  await turns.endWriting()
  await turns.leave([group], isEmpty)
}

it('lists what there is', async () => {
  const store = await started('kafka', 'store', consumer)
  await store.begin(group, nothing)
  await started('kafka', 'front', writer)
  expect(await store.list()).toEqual({
    turns: [{ log: 'kafka', consumer: group, turn: expect.any(Number), state: 'open' }],
    users: [
      { log: 'kafka', name: 'front', writes: true, consumers: [], seenAt: expect.any(Date) },
      { log: 'kafka', name: 'store', writes: false, consumers: [group], seenAt: expect.any(Date) },
    ],
  })
})

it('one log alone: it is always its turn, whatever happened', async () => {
  const first = await started('local', 'a', whole)
  expect(await first.begin(group, nothing)).toBeUndefined()
  expect(await first.isFollowed()).toBe(false)
  await stop(first, full)
  expect(await (await started('local', 'a', whole)).begin(group, nothing)).toBeUndefined()
  // Killed.
  expect(await (await started('local', 'renamed', whole)).begin(group, nothing)).toBeUndefined()
})

it('to another log and back: each waits until the other is left with nothing in it', async () => {
  const all = await started('local', 'all', whole)
  expect(await all.begin(group, nothing)).toBeUndefined()
  const store = await started('kafka', 'store', consumer)
  const front = await started('kafka', 'front', writer)
  expect(await all.isFollowed()).toBe(false)
  expect(await store.begin(group, nothing)).toContain('it is used by all')
  await all.endWriting()
  expect(await all.isFollowed()).toBe(true)
  expect(await store.begin(group, nothing)).toContain('it is used by all')
  await all.leave([group], empty)
  expect(await store.begin(group, nothing)).toBeUndefined()

  const again = await started('local', 'all', whole)
  expect(await again.begin(group, nothing)).toContain('front')
  await front.endWriting()
  await front.leave([], empty)
  expect(await store.isFollowed()).toBe(true)
  expect(await again.begin(group, nothing)).toContain('store')
  await store.leave([group], empty)
  expect(await again.begin(group, nothing)).toBeUndefined()
})

it('a log that was left with something in it is waited for, until that was taken or moved', async () => {
  const all = await started('local', 'all', whole)
  await all.begin(group, nothing)
  const store = await started('kafka', 'store', consumer)
  await started('kafka', 'front', writer)
  await stop(all, full)
  expect(await store.begin(group, nothing)).toContain('left with something in it')
  await stop(await started('local', 'all', whole))
  expect(await store.begin(group, nothing)).toBeUndefined()

  await stop(await started('local', 'all', whole), full)
  const other = await started('kafka', 'other', whole)
  await other.giveUp('local')
  expect(await other.begin(group, nothing)).toBeUndefined()
})

it('a process that dies is waited for, until it comes back and leaves, or is forgotten', async () => {
  await started('local', 'all', whole)
  const store = await started('kafka', 'store', consumer)
  const front = await started('kafka', 'front', writer)
  expect(await store.begin(group, nothing)).toContain('all')
  await stop(await started('local', 'all', whole))
  expect(await store.begin(group, nothing)).toBeUndefined()

  const again = await started('local', 'all', whole)
  await stop(store)
  expect(await again.begin(group, nothing)).toContain('front')
  expect(await front.forgetUser('kafka', 'front')).toBe(true)
  expect(await front.forgetUser('kafka', 'front')).toBe(false)
  await stop(await started('kafka', 'store', consumer))
  expect(await again.begin(group, nothing)).toBeUndefined()
})

it('a writer whose spool is not empty stays a user', async () => {
  const front = await started('kafka', 'front', writer)
  const store = await started('kafka', 'store', consumer)
  expect(await store.begin(group, nothing)).toBeUndefined()
  await front.leave([], empty)
  await stop(store)
  const all = await started('local', 'all', whole)
  expect(await all.begin(group, nothing)).toContain('front')
})

it('several consumers: the last one leaves the log empty', async () => {
  const front = await started('kafka', 'front', writer)
  const stores = [await started('kafka', 'store 1', consumer), await started('kafka', 'store 2', consumer)]
  const all = await started('local', 'all', whole)
  await stop(front)
  await stop(stores[0]!)
  expect(await all.begin(group, nothing)).toContain('store 2')
  await stop(stores[1]!)
  expect(await all.begin(group, nothing)).toBeUndefined()
})

it('a log that was tried, and not begun with, is in nobody’s way', async () => {
  const all = await started('local', 'all', whole)
  await all.begin(group, nothing)
  const store = await started('kafka', 'store', consumer)
  expect(await store.begin(group, nothing)).toBeDefined()
  await stop(all)
  expect(await store.begin(group, nothing)).toContain('nobody appends')
  const again = await started('local', 'all', whole)
  expect(await again.begin(group, nothing)).toBeUndefined()
  await stop(store)
  expect(await again.begin(group, nothing)).toBeUndefined()
})

it('what came to a log that nobody appends to any more is taken all the same', async () => {
  const all = await started('local', 'all', whole)
  await all.begin(group, nothing)
  const store = await started('kafka', 'store', consumer)
  expect(await store.begin(group, something)).toContain('all')
  await stop(all)
  expect(await store.begin(group, something)).toBeUndefined()
})

it('groups are for themselves: one that is new is not held up', async () => {
  const all = await started('local', 'all', whole)
  await all.begin(group, nothing)
  const sagas = new LogTurns(postgres, 'kafka', 'sagas')
  await sagas.enter(false)
  await sagas.join('sagas')
  expect(await sagas.begin('sagas', nothing)).toBeUndefined()
})

it('who begins to append while the last one leaves is not overlooked', async () => {
  const store = await started('kafka', 'store', consumer)
  await store.begin(group, nothing)
  const all = await started('local', 'all', whole)
  const front = new LogTurns(postgres, 'kafka', 'front')
  let entered: Promise<void> | undefined
  let asked = 0
  await store.leave([group], async () => {
    if (++asked === 1) return true
    entered = front.enter(true)
    await new Promise((resolve) => setTimeout(resolve, 50))
    return true
  })
  await entered
  // It came in time to find the log empty, and is in its old place.
  expect(await all.begin(group, nothing)).toContain('front')
})

it('a process that was not seen for a week is forgotten', async () => {
  await started('kafka', 'front', writer)
  const store = await started('kafka', 'store', consumer)
  await store.begin(group, nothing)
  await store.beSeen()
  await postgres.query(`UPDATE log_users SET seen_at = now() - interval '8 days' WHERE name = 'front'`)
  const all = await started('local', 'all', whole)
  expect(await all.begin(group, nothing)).toContain('used by store')
  await stop(store)
  expect(await all.begin(group, nothing)).toBeUndefined()
})

it('a log that does not answer keeps nobody from entering', async () => {
  const all = await started('local', 'all', whole)
  await all.begin(group, nothing)
  const store = await started('kafka', 'store', consumer)
  await stop(all)
  // Would wait for whoever asks, if it asked while nobody can enter.
  const enters = async (): Promise<boolean> => {
    await started('kafka', 'passing', { writes: false, consumes: false })
    return false
  }
  expect(await store.begin(group, enters)).toContain('nobody appends')
  await store.leave([group], enters)
  const away = async (): Promise<never> => Promise.reject(new Error('Kafka is away'))
  const last = await started('kafka', 'last', consumer)
  const other = await started('kafka', 'other', consumer)
  await other.leave([group], away)
  // Whether it is empty, only the last one has to know.
  await expect(last.leave([group], away)).rejects.toThrow('Kafka is away')
  expect((await last.list()).users.map(({ name }) => name)).toEqual(['last', 'passing'])
})

it.each([
  ['enters', 'DELETE FROM log_users', (turns: LogTurns) => turns.enter(true)],
  ['joins', 'INSERT INTO log_turns', (turns: LogTurns) => turns.join(group)],
  ['begins', 'SELECT log, state FROM log_turns', (turns: LogTurns) => turns.begin(group, nothing)],
  ['leaves', 'DELETE FROM log_users', (turns: LogTurns) => turns.leave([group], empty)],
])('a process that freezes while it %s keeps others from entering for seconds', async (_, text, change) => {
  const gate = await startFreezingGate(world.url)
  const limit = { idleInTransactionMs: idleInTransactionMs.ingest! }
  const pool = connectPostgres({ url: gate.url, applicationName: 'frozen', max: 1, ...limit })
  gate.freezeBefore(text)
  const changing = change(new LogTurns(pool, 'kafka', 'frozen')).catch(() => undefined)
  await expect.poll(() => gate.isFrozen, { timeout: 5_000 }).toBe(true)
  const from = performance.now()
  await started('kafka', 'other', whole)
  expect(performance.now() - from).toBeLessThan(15_000)
  await gate.stop()
  await changing
  await pool.close()
})
