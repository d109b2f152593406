import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDatabase } from '../app/worker.fixture.ts'
import { dueStatements } from './sagas-table.ts'

/** Sagas that rest for an hour and more; three are due. */
const parked = 30_000

let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
  const insert = (n: number, from: number, due: string) =>
    database.postgres.query(
      `INSERT INTO sagas (id, version, tenant, name, fence, status, due_at, journal)
       SELECT (lpad(to_hex($1::bigint), 12, '0') || '70008000' || lpad(to_hex($3 + i), 12, '0'))::uuid, 1, 't', 'n', 1,
         'running', now() + ${due} + i * interval '1 ms', repeat('x', 300)
       FROM generate_series(1, $2::integer) AS i`,
      [Date.now(), n, from],
    )
  await insert(parked, 0, `interval '1 h'`)
  await insert(3, parked, `interval '-1 h'`)
  await database.postgres.query('ANALYZE sagas')
})
afterAll(() => database?.stop())

/** Pages that a statement reads, and its plan as text. Nothing is changed by it. */
async function explain(sql: string, values: readonly unknown[]): Promise<{ pages: number; plan: string }> {
  const rollback = new Error('done')
  let lines: { 'QUERY PLAN': string }[] = []
  await database.postgres
    .tx(async (tx) => {
      lines = await tx.query(`EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) ${sql}`, values)
      throw rollback
    })
    .catch((error: unknown) => expect(error).toBe(rollback))
  const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
  const [buffers = ''] = /Buffers: shared.*/.exec(plan) ?? []
  const pages = [...buffers.matchAll(/(?:hit|read)=(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
  return { pages, plan }
}

it('a look for what is due reads what is due, and not all that rests', async () => {
  const { pages, plan } = await explain(dueStatements.claim, [1, 200])
  expect(plan).toMatch(/Index Cond: \(due_at <= /)
  expect(pages).toBeLessThan(200)
})

it('a look for when the next is due reads the first entry of each index', async () => {
  const { pages, plan } = await explain(dueStatements.next, [])
  expect(plan).not.toContain('Seq Scan')
  expect(pages).toBeLessThan(100)
})
