import { type Postgres, systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDatabase, tenant } from '../app/worker.fixture.ts'
import { acquireLock, callWaiters, releaseHoldings } from './locks.ts'
import { registerWait } from './waits.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
const key = { tenant, key: 'k' }

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())
beforeEach(async () => {
  await database.postgres.query('TRUNCATE sagas, locks, lock_waiters, waits, mail')
})

/** A saga that a worker holds under the fencing number 7. */
async function saga(status = 'running'): Promise<{ id: string; fence: string }> {
  const id = uuidv7(systemRandom, Date.now())
  await database.postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, journal) VALUES ($1, 1, $2, 'order', 7, 1, $3, '')`,
    [id, tenant, status],
  )
  return { id, fence: '7' }
}

it('grants a key to one saga, to it again, and to the next in line after its end, under a greater number', async () => {
  const { postgres } = database
  const [first, second, third] = [await saga(), await saga(), await saga()]
  const fence = await acquireLock(postgres, key, first!, 's')
  expect(await acquireLock(postgres, key, first!, 's')).toBe(fence)
  expect(await acquireLock(postgres, key, second!, 's')).toBeUndefined()
  expect(await acquireLock(postgres, key, third!, 's')).toBeUndefined()
  const { letters, free } = await postgres.tx((tx) => releaseHoldings(tx, [first!.id]))
  expect(free).toEqual([{ ...key, sagaId: first!.id }])
  expect(letters.map(({ to }) => to)).toEqual([second!.id])
  expect(Number(await acquireLock(postgres, key, second!, 's'))).toBeGreaterThan(Number(fence))
})

it.each(['completed', 'compensated', 'compensating', 'needs_attention'])(
  'gives nothing to a saga that is %s: nobody would take it back',
  async (status) => {
    const { postgres } = database
    const ended = await saga(status)
    expect(await acquireLock(postgres, key, ended, 's')).toBeUndefined()
    await registerWait(postgres, { tenant, key: new Uint8Array(16), sagaId: ended.id, step: 's', not: undefined }, '7')
    // One that needs attention may go on, and its step that waits for an event with it.
    for (const table of ['locks', 'lock_waiters', ...(status === 'needs_attention' ? [] : ['waits'])]) {
      expect(await postgres.query(`SELECT 1 FROM ${table}`)).toEqual([])
    }
  },
)

describe('a lock that seems to be held', () => {
  it('is tried once, and not before its saga stands in line', async () => {
    const { postgres } = database
    const [holder, other] = [await saga(), await saga()]
    await acquireLock(postgres, key, holder, 's')
    const statements: string[] = []
    const counting: Postgres = {
      ...postgres,
      query: (text, values, name) => {
        statements.push(/INTO (\w+)/.exec(text)?.[1] ?? '')
        return postgres.query(text, values, name)
      },
    }
    expect(await acquireLock(counting, key, other, 's', true)).toBeUndefined()
    expect(statements.splice(0)).toEqual(['lock_waiters', 'locks'])
    expect(await acquireLock(counting, key, other, 's', false)).toBeUndefined()
    expect(statements).toEqual(['locks', 'lock_waiters', 'locks'])
  })

  it('is taken at once when that is wrong', async () => {
    expect(await acquireLock(database.postgres, key, await saga(), 's', true)).toBeDefined()
  })
})

describe('a lock that nobody holds', () => {
  it('is offered once to the first in line, who keeps its place among those that are due', async () => {
    const { postgres } = database
    const [holder, next, other] = [await saga(), await saga(), await saga()]
    for (const one of [holder, next, other]) await acquireLock(postgres, key, one, 's')
    await postgres.query('DELETE FROM locks')
    await postgres.query(`UPDATE sagas SET owner = NULL, due_at = clock_timestamp() - interval '1 h' WHERE id <> $1`, [
      holder.id,
    ])
    for (let i = 0; i < 3; i++) await callWaiters(postgres)
    expect(await postgres.query('SELECT saga_id FROM mail')).toEqual([{ saga_id: next.id }])
    const late = `SELECT FROM sagas WHERE due_at > clock_timestamp() - interval '30 min'`
    expect(await postgres.query(late)).toEqual([])
    // It was called, and wants the lock no more.
    await postgres.query(`DELETE FROM mail`)
    await postgres.query(`UPDATE sagas SET status = 'compensating' WHERE id = $1`, [next.id])
    await callWaiters(postgres)
    expect(await postgres.query('SELECT saga_id FROM mail')).toEqual([{ saga_id: other.id }])
  })

  it('makes who rests for long due', async () => {
    const { postgres } = database
    const [holder, next] = [await saga(), await saga()]
    for (const one of [holder, next]) await acquireLock(postgres, key, one, 's')
    await postgres.query('DELETE FROM locks')
    await postgres.query(`UPDATE sagas SET owner = NULL, due_at = clock_timestamp() + interval '1 h'`)
    await callWaiters(postgres)
    const due = 'SELECT id FROM sagas WHERE due_at <= clock_timestamp()'
    expect(await postgres.query(due)).toEqual([{ id: next.id }])
  })
})

it('gives nothing in the name of an owner that is not the owner any more', async () => {
  const { id } = await saga()
  expect(await acquireLock(database.postgres, key, { id, fence: '6' }, 's')).toBeUndefined()
  expect(await database.postgres.query('SELECT 1 FROM lock_waiters')).toEqual([])
})
