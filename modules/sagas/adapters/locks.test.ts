import { type Postgres, systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDatabase, tenant } from '../app/worker.fixture.ts'
import { acquireLock, callWaiters, type LockHolder, releaseHoldings } from './locks.ts'
import { readMail } from './mail.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let postgres: Postgres

beforeAll(async () => {
  database = await startDatabase()
  postgres = database.postgres
})
afterAll(() => database.stop())
beforeEach(() => postgres.query('TRUNCATE sagas, mail, locks, lock_waiters'))

const key = { tenant, key: 'account-1' }
const take = (saga: LockHolder) => acquireLock(postgres, key, saga, 'guard')

async function saga(status = 'running'): Promise<LockHolder> {
  const id = uuidv7(systemRandom, Date.now())
  await postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, journal) VALUES ($1, 1, $2, 'order', 7, 1, $3, '')`,
    [id, tenant, status],
  )
  return { id, fence: '7' }
}
const left = async (): Promise<number> =>
  (await postgres.query('SELECT saga_id FROM locks UNION ALL SELECT saga_id FROM lock_waiters')).length
const isCalled = async ({ id }: LockHolder): Promise<boolean> =>
  (await readMail(postgres, [{ id, tenant }])).some(({ letters }) => letters.length > 0)

describe('a lock', () => {
  it('is held by one saga, which gets it again; the next one has a greater fencing number', async () => {
    const [first, second] = [await saga(), await saga()]
    const fence = await take(first)
    expect(await take(second)).toBeUndefined()
    expect(await take(first)).toBe(fence)
    const letters = await postgres.tx((tx) => releaseHoldings(tx, [first.id]))
    expect(letters.map(({ to }) => to)).toEqual([second.id])
    expect(Number(await take(second))).toBeGreaterThan(Number(fence))
  })

  it('is not taken, nor waited for, in the name of a saga that has another owner or has ended', async () => {
    const [holder, moved, ended] = [await saga(), await saga(), await saga()]
    await postgres.query('UPDATE sagas SET fence = 8 WHERE id = $1', [moved.id])
    await postgres.query(`UPDATE sagas SET owner = NULL, status = 'completed' WHERE id = $1`, [ended.id])
    for (const late of [moved, ended]) expect(await take(late)).toBeUndefined()
    expect(await left()).toBe(0)
    await take(holder)
    for (const late of [moved, ended]) expect(await take(late)).toBeUndefined()
    expect(await left()).toBe(1)
  })

  it('is let go by a saga whose end comes at the same instant', async () => {
    const one = await saga()
    let taken: Promise<string | undefined> | undefined
    await postgres.tx(async (tx) => {
      await tx.query(`UPDATE sagas SET owner = NULL, status = 'completed' WHERE id = $1`, [one.id])
      taken = take(one)
      await new Promise((resolve) => setTimeout(resolve, 100))
      await releaseHoldings(tx, [one.id])
    })
    expect(await taken).toBeUndefined()
    expect(await left()).toBe(0)
  })

  it('is offered to the first in line that still wants it', async () => {
    const [holder, undone, next] = [await saga(), await saga(), await saga()]
    for (const one of [holder, undone, next]) await take(one)
    await postgres.query(`UPDATE sagas SET status = 'needs_attention' WHERE id = $1`, [undone.id])
    const letters = await postgres.tx((tx) => releaseHoldings(tx, [holder.id]))
    expect(letters.map(({ to }) => to)).toEqual([next.id])
    await callWaiters(postgres)
    expect([await isCalled(undone), await isCalled(next)]).toEqual([false, true])
  })
})
