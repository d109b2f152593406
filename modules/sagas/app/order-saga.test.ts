import { type Call, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Definitions } from '../adapters/definitions.ts'
import { SagaRows } from '../adapters/saga-rows.ts'
import type { SagaDeps } from './deps.ts'
import { Ends } from './ends.ts'
import { orderSaga } from './order-saga.ts'
import { Plans } from './plans.ts'
import { startDatabase, startWorker, tenant } from './worker.fixture.ts'

type Worker = Awaited<ReturnType<typeof startWorker>>

let database: Awaited<ReturnType<typeof startDatabase>>
/** The sagas run at `owner`; the requests come to `other`, which does not take any. */
let owner: Worker
let other: Worker
let deps: SagaDeps
const logged: unknown[] = []
const logger = { ...silentLogger, info: (message: string, fields = {}) => void logged.push({ message, ...fields }) }

beforeAll(async () => {
  database = await startDatabase()
  owner = await startWorker(database.url, { name: 'owner' })
  other = await startWorker(database.url, { name: 'other', capacity: 0 })
  await owner.publish('rest', { steps: [{ id: 'w', wait: { for: '5s' } }] })
  await owner.publish('parked', { steps: [{ id: 'w', wait: { for: '1h' } }] })
  const { postgres, worker } = other
  const definitions = new Definitions(postgres)
  const plans = new Plans(definitions, () => systemClock.monotonic())
  const rows = new SagaRows(postgres)
  const parts = { postgres, worker, definitions, plans, rows, clock: systemClock, logger }
  const standings = rows.standings.bind(rows)
  const ends = new Ends({ clock: systemClock, runsHere: (id) => worker.runs(id), standings })
  deps = { ...parts, ends, answering: new Set() }
})
afterAll(async () => {
  await other?.stop()
  await owner?.stop()
  await database?.stop()
})

const call = (key?: string, budgetMs = 30_000): Call => ({
  tenant,
  principal: 'a-key',
  signal: new AbortController().signal,
  deadline: systemClock.monotonic() + budgetMs,
  idempotencyKey: key,
})

const begin = async (name: string): Promise<string> => (await owner.start(name, null)).id
const orders = async (id: string) => (await owner.look(id)).entries.filter(({ e }) => e === 'by')

describe('an order that comes to another process than the one that has the saga', () => {
  it('is obeyed soon', async () => {
    const id = await begin('rest')
    const from = performance.now()
    expect(await orderSaga(deps, id, { action: 'skip', step: 'w' }, call())).toMatchObject({ obeyed: true })
    // The owner is told; without that it would look once a second.
    expect(performance.now() - from).toBeLessThan(5_000)
    await owner.until(id, 'completed')
    expect(await orders(id)).toMatchObject([{ a: 'skip', who: 'a-key' }])
  })

  it('wakes a saga up that nobody has', async () => {
    const id = await begin('parked')
    while ((await owner.look(id)).worker !== null) await systemClock.sleep(10)
    expect(await orderSaga(deps, id, { action: 'cancel' }, call())).toMatchObject({ obeyed: true })
    await owner.until(id, 'compensated')
  })

  it('wakes it up at once in a process that has room, though the one it came to has none', async () => {
    let waited = 0
    for (let n = 0; n < 8; n++) {
      const id = await begin('parked')
      while ((await owner.look(id)).worker !== null) await systemClock.sleep(5)
      const from = performance.now()
      expect(await orderSaga(deps, id, { action: 'cancel' }, call())).toMatchObject({ obeyed: true })
      waited += performance.now() - from
    }
    // Nobody told would look a second after the last look, eight times.
    expect(waited).toBeLessThan(6_000)
  })

  it('is refused with the reason of the saga', async () => {
    const id = await begin('rest')
    const refused = orderSaga(deps, id, { action: 'retry', step: 'w' }, call())
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('step w waits') })
    expect(await orders(id)).toMatchObject([{ a: 'retry', no: expect.stringContaining('step w waits') }])
    await orderSaga(deps, id, { action: 'cancel' }, call())
  })
})

describe('an order to a saga that has ended', () => {
  it.each(['cancel', 'retry', 'skip', 'resolve'] as const)(
    'is refused, and the log says who gave it: %s',
    async (action) => {
      const id = await begin('rest')
      await orderSaga(deps, id, { action: 'cancel' }, call())
      await owner.until(id, 'compensated')
      logged.length = 0
      const refused = orderSaga(deps, id, { action, step: 'w', note: 'why not' }, call())
      await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' })
      expect(await orders(id)).toHaveLength(1)
      const message = 'an order was refused: the saga has ended'
      const asked = { saga: id, tenant, action, by: 'a-key', status: 'compensated' }
      // Not what the note says: the log holds nothing that people wrote.
      expect(logged).toEqual([{ message, ...asked, order: expect.any(String) }])
    },
  )
})

describe('an order with an Idempotency-Key', () => {
  it('is noted once, however many send it at the same time', async () => {
    const id = await begin('rest')
    const all = await Promise.allSettled(
      Array.from({ length: 10 }, () => orderSaga(deps, id, { action: 'skip', step: 'w' }, call('k'))),
    )
    const done = all.filter((one) => one.status === 'fulfilled')
    const busy = all.filter((one) => one.status === 'rejected')
    expect(done.length).toBeGreaterThan(0)
    for (const { reason } of busy) expect(reason).toMatchObject({ code: 'IDEMPOTENCY_KEY_BUSY', retryAfterMs: 1_000 })
    await owner.until(id, 'completed')
    while ((await database.postgres.query('SELECT 1 FROM mail WHERE saga_id = $1', [id])).length > 0) {
      await systemClock.sleep(10)
    }
    expect(await orders(id)).toHaveLength(1)
    expect(await orderSaga(deps, id, { action: 'skip', step: 'w' }, call('k'))).toMatchObject({ obeyed: true })
  })

  it('that is still in the mail is not sent again', async () => {
    const id = await begin('parked')
    while ((await owner.look(id)).worker !== null) await systemClock.sleep(10)
    // Too little time to wait for the answer.
    const first = await orderSaga(deps, id, { action: 'cancel', note: 'a' }, call('mail', 251))
    const again = await orderSaga(deps, id, { action: 'cancel', note: 'a' }, call('mail'))
    expect(again).toEqual({ order: first.order, obeyed: true })
    expect(await orders(id)).toHaveLength(1)
    const changed = orderSaga(deps, id, { action: 'cancel', note: 'b' }, call('mail'))
    await expect(changed).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
  })
})
