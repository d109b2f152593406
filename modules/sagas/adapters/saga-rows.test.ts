import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDatabase } from '../app/worker.fixture.ts'
import { countInFlight } from './in-flight.ts'
import { leastId, type SagaFilter, SagaRows } from './saga-rows.ts'

/** Of them every 9,000th needs attention, and every 15,000th is called otherwise. */
const many = 45_000
const start = Date.now() - 3_600_000

let database: Awaited<ReturnType<typeof startDatabase>>
let rows: SagaRows

beforeAll(async () => {
  database = await startDatabase()
  rows = new SagaRows(database.postgres)
  const insert = (tenant: string, n: number) =>
    database.postgres.query(
      `INSERT INTO sagas (id, version, tenant, name, fence, status, ended_at, due_at, problem, journal)
       SELECT (lpad(to_hex($2::bigint + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid, 1 + i % 9000 % 2, $1,
         CASE WHEN i % 15000 = 7 THEN 'rare' ELSE 'often' END, 1,
         CASE WHEN i % 9000 = 5 THEN 'needs_attention' WHEN i % 900 = 1 THEN 'running' ELSE 'completed' END,
         CASE WHEN i % 9000 = 5 OR i % 900 = 1 THEN NULL ELSE now() END,
         CASE WHEN i % 900 = 1 THEN now() + interval '1 h' END,
         CASE WHEN i % 9000 = 5 THEN 'a: STUCK' END, ''
       FROM generate_series(1, $3::integer) AS i`,
      [tenant, start, n],
    )
  await insert('busy', many)
  await insert('other', 100)
  await database.postgres.query('ANALYZE sagas')
})
afterAll(() => database?.stop())

/** All pages of a list, and how many there were. */
async function read(filter: Omit<SagaFilter, 'limit'>, limit = 100): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = []
  let pages = 0
  for (let before: string | undefined, more = true; more; pages++) {
    const page = await rows.list('busy', { ...filter, limit, ...(before !== undefined && { before }) })
    ids.push(...page.sagas.map(({ id }) => id))
    before = page.next
    more = before !== undefined
  }
  return { ids, pages }
}

describe('the list of a tenant with many sagas', () => {
  it('finds what is rare in pages that are not full, each saga once', async () => {
    const { ids, pages } = await read({ name: 'rare' })
    expect(ids).toHaveLength(3)
    expect(ids).toEqual(ids.toSorted().toReversed())
    expect(pages).toBe(3)
  })

  it('finds what needs attention at once', async () => {
    expect(await read({ status: 'needs_attention' })).toMatchObject({ ids: { length: 5 }, pages: 1 })
    expect(await read({ problem: true })).toMatchObject({ ids: { length: 5 }, pages: 1 })
    expect(await read({ problem: true, name: 'rare' })).toMatchObject({ ids: { length: 0 }, pages: 1 })
  })

  it('is whole, without gaps and without any other tenant’s', async () => {
    const { ids } = await read({}, 1_000)
    expect(new Set(ids).size).toBe(many)
    expect(await read({ name: 'often' }, 1_000)).toMatchObject({ ids: { length: many - 3 } })
  })

  it('keeps to the time of the start', async () => {
    const [from, to] = [start + 10_000, start + 12_000]
    const { ids } = await read({ from, to }, 1_000)
    expect(ids).toHaveLength(2_000)
    expect(ids[0]! < leastId(to) && ids.at(-1)! >= leastId(from)).toBe(true)
    expect((await read({ from, to, status: 'running' })).ids).toHaveLength(2)
  })

  it('takes little time, whatever is asked for', async () => {
    const from = performance.now()
    for (let i = 0; i < 10; i++) await rows.list('busy', { name: 'nothing', status: 'compensating', limit: 100 })
    // About 10 ms each on a machine that does nothing else.
    expect((performance.now() - from) / 10).toBeLessThan(500)
  })
})

describe('sagas that go on', () => {
  const park = (tenant: string, name: string, count: number) =>
    database.postgres.query(
      `INSERT INTO sagas (id, version, tenant, name, fence, status, due_at, journal)
       SELECT gen_random_uuid(), 1, $1, $2, 1, 'running', now() + interval '1 h', '' FROM generate_series(1, $3::integer)`,
      [tenant, name, count],
    )

  it('are counted by version and status', async () => {
    const { postgres } = database
    expect(await countInFlight(postgres, 'busy', 'often')).toEqual({
      instances: { 2: { running: 50, needs_attention: 5 } },
      instancesComplete: true,
    })
    expect(await countInFlight(postgres, 'busy', 'none')).toEqual({ instances: {}, instancesComplete: true })
  })

  it('are said to be more than were looked at, and not because of another tenant’s', async () => {
    const { postgres } = database
    await park('crowd', 'parked', 20_000)
    const none = { instances: {}, instancesComplete: false }
    expect(await countInFlight(postgres, 'crowd', 'none')).toEqual(none)
    await park('small', 'mine', 3)
    const mine = { instances: { 1: { running: 3 } }, instancesComplete: true }
    expect(await countInFlight(postgres, 'small', 'mine')).toEqual(mine)
  })
})
