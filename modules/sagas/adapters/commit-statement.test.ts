import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { startDatabase } from '../app/worker.fixture.ts'
import { statement } from './commit-statement.ts'
import { CurrentPartition } from './partitions.ts'

let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())

it('finds a saga by its key, whatever else its owner holds, also in a table without statistics', async () => {
  const table = await new CurrentPartition(database.postgres, Date.now).tableOf([])
  const commits = connectPostgres({ url: database.url, applicationName: 'plans', plans: 'by key' })
  const lines = await commits.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${statement(table)}`)
  await commits.close()
  const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
  const indexes = [...plan.matchAll(/using (\S+) on/g)].map(([, index]) => index)
  expect(new Set(indexes)).toEqual(new Set(['starts_pkey', `${table}_pkey`]))
  expect(plan).not.toContain('Seq Scan')
  expect([...plan.matchAll(/Index Cond: (.*)/g)].map(([, condition]) => condition)).toEqual([
    '(key = n_1.key)',
    '((tenant = n_2.tenant) AND (id = n_2.id))',
    '((tenant = n_3.tenant) AND (id = n_3.id))',
  ])
})
