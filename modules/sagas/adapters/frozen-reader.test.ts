import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres, type Pool } from '../../../src/engines/postgres/driver.ts'
import { startToxicProxy, type ToxicProxy } from '../../../test/support/toxics/proxy.ts'
import { productPool, startDatabase } from '../app/worker.fixture.ts'
import { readOutbox } from './outbox.ts'
import { claimDue } from './sagas-table.ts'
import { registerWorker } from './workers.ts'

/* A process that freezes while Postgres answers it: what it holds there is free again within seconds. */

/** What no buffer on the way takes. */
const rows = 200
const rowBytes = 60 << 10

let database: Awaited<ReturnType<typeof startDatabase>>
let proxy: ToxicProxy

beforeAll(async () => {
  database = await startDatabase()
  proxy = await startToxicProxy({ target: database.url })
})
afterAll(async () => {
  await proxy?.stop()
  await database?.stop()
})

/** Begins something on a connection of which it hears no more once the answer has begun. */
async function frozen(work: (postgres: Pool, freeze: () => void) => Promise<unknown>): Promise<void> {
  proxy.heal()
  const postgres = connectPostgres({ ...productPool, url: proxy.url, applicationName: 'frozen', max: 1 })
  await postgres.query('SELECT 1')
  void work(postgres, () => proxy.set('down', { kind: 'timeout', ms: 0 })).catch(() => undefined)
  const writes = `SELECT FROM pg_stat_activity WHERE application_name = 'frozen' AND wait_event = 'ClientWrite'`
  await expect.poll(async () => (await database.postgres.query(writes)).length, { timeout: 10_000 }).toBe(1)
  void postgres.close()
}

it('sagas that it was about to take over: another worker has them', async () => {
  await database.postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, status, due_at, journal)
     SELECT gen_random_uuid(), 1, 't', 'n', 1, 'running', now() - interval '1 h', repeat('x', $2)
     FROM generate_series(1, $1::integer)`,
    [rows, rowBytes],
  )
  const [late, other] = [
    await registerWorker(database.postgres, 'frozen', 600_000),
    await registerWorker(database.postgres, 'other', 600_000),
  ]
  await frozen((postgres, freeze) => {
    freeze()
    return claimDue(postgres, late.id, rows)
  })
  expect(await claimDue(database.postgres, other.id, rows)).toEqual([])
  await expect
    .poll(async () => (await claimDue(database.postgres, other.id, rows)).length, { timeout: 15_000, interval: 200 })
    .toBe(rows)
})

it('what sagas have emitted: another process brings it on', async () => {
  await database.postgres.query(
    `INSERT INTO outbox (tenant, event) SELECT 't', repeat('x', $2) FROM generate_series(1, $1::integer)`,
    [rows, rowBytes],
  )
  await frozen((postgres, freeze) =>
    postgres.tx(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(4711)`)
      freeze()
      await readOutbox(tx, rows, rows * rowBytes)
    }),
  )
  const free = async (): Promise<unknown> => {
    const [row] = await database.postgres.query<{ mine: boolean }>('SELECT pg_try_advisory_xact_lock(4711) AS mine')
    return row?.mine
  }
  expect(await free()).toBe(false)
  await expect.poll(free, { timeout: 15_000, interval: 200 }).toBe(true)
})
