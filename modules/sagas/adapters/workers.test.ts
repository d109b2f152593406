import type { Postgres } from '@splitstream/kernel'
import { systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDatabase, tenant } from '../app/worker.fixture.ts'
import { endExpired, freeOrphans, freeWorker, registerWorker, renewWorker } from './workers.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let postgres: Postgres

beforeAll(async () => {
  database = await startDatabase()
  postgres = database.postgres
})
afterAll(() => database.stop())
beforeEach(() => postgres.query('TRUNCATE sagas, workers'))

async function ownedBy(owner: number): Promise<string> {
  const id = uuidv7(systemRandom, Date.now())
  await postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, journal) VALUES ($1, 1, $2, 'order', 1, $3, 'running', '')`,
    [id, tenant, owner],
  )
  return id
}
const free = async (): Promise<string[]> =>
  (await postgres.query<{ id: string }>('SELECT id FROM sagas WHERE owner IS NULL AND due_at IS NOT NULL')).map(
    ({ id }) => id,
  )

describe('the sagas of a worker', () => {
  it('are free when its lease is over, and it can renew no more', async () => {
    const [late, live] = [await registerWorker(postgres, 'late', 1), await registerWorker(postgres, 'live', 60_000)]
    const saga = await ownedBy(late.id)
    await ownedBy(live.id)
    await expect.poll(() => endExpired(postgres)).toBe(1)
    expect(await freeOrphans(postgres)).toBe(1)
    expect(await free()).toEqual([saga])
    await expect(renewWorker(postgres, late.id, 60_000)).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('are free when it stops', async () => {
    const worker = await registerWorker(postgres, 'one', 60_000)
    const saga = await ownedBy(worker.id)
    await freeWorker(postgres, worker.id)
    expect(await free()).toEqual([saga])
  })

  it('are free also when they became its own after its end', async () => {
    const worker = await registerWorker(postgres, 'one', 60_000)
    await freeWorker(postgres, worker.id)
    // What it had sent before it died arrives late: a saga that it starts, or takes over.
    const saga = await ownedBy(worker.id)
    expect(await freeOrphans(postgres)).toBe(1)
    expect(await free()).toEqual([saga])
  })

  it('are free without waiting for those that a transaction holds which it did not end', async () => {
    const worker = await registerWorker(postgres, 'one', 60_000)
    const [held, other] = [await ownedBy(worker.id), await ownedBy(worker.id)]
    await postgres.tx(async (tx) => {
      await tx.query('UPDATE sagas SET seq = seq + 1 WHERE id = $1', [held])
      await freeWorker(postgres, worker.id)
      expect(await free()).toEqual([other])
    })
    expect(await freeOrphans(postgres)).toBe(1)
    expect((await free()).toSorted()).toEqual([held, other].toSorted())
  })
})
