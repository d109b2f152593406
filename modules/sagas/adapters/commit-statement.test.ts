import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { startDatabase } from '../app/worker.fixture.ts'
import { statement, statementOfMove, statementOfMoves, statementOfStart } from './commit-statement.ts'
import { CurrentPartition } from './partitions.ts'

let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())

const all = ['(key = n_1.key)', ...Array.from([2, 3], (n) => `((tenant = n_${n}.tenant) AND (id = n_${n}.id))`)]
const moves = ['((tenant = n.tenant) AND (id = n.id))']

it.each([
  ['of a group with starts', statement, 'starts_pkey', all],
  ['of a group without', statementOfMoves, undefined, moves],
  ['of a move alone', statementOfMove, undefined, ['((tenant = $2) AND (id = $3))']],
  ['of a start alone', statementOfStart, 'starts_pkey', ['(key = n.key)', '((tenant = n_1.tenant) AND (id = n_1.id))']],
])(
  'a statement %s finds a saga by its key, whatever else its owner holds, also in a table without statistics',
  async (_, sql, other, conditions) => {
    const table = await new CurrentPartition(database.postgres, Date.now).tableOf([])
    const commits = connectPostgres({ url: database.url, applicationName: 'plans', plans: 'by key' })
    const lines = await commits.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${sql(table)}`)
    await commits.close()
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
    const indexes = [...plan.matchAll(/using (\S+) on/g)].map(([, index]) => index)
    expect(new Set(indexes)).toEqual(new Set([...(other ? [other] : []), `${table}_pkey`]))
    expect(plan).not.toContain('Seq Scan')
    expect([...plan.matchAll(/Index Cond: (.*)/g)].map(([, condition]) => condition)).toEqual(conditions)
  },
)
