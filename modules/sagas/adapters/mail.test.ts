import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDatabase, tenant } from '../app/worker.fixture.ts'
import { sagasWithMail, sendMail } from './mail.ts'

let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database?.stop())

const idOf = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`

it('a worker looks for mail that can be read at once, the oldest first', async () => {
  const { postgres } = database
  const ids = Array.from({ length: 20 }, (_, n) => idOf(n))
  await postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, journal)
     SELECT id, 1, $2, 'order', 7, 1, 'running', '' FROM unnest($1::uuid[]) AS id`,
    [ids, tenant],
  )
  const large = ids.toReversed().map((to) => ({ tenant, to, body: 'x'.repeat(1 << 20) }))
  await postgres.tx((tx) => sendMail(tx, large))
  expect(await sagasWithMail(postgres, 1)).toEqual(ids.toReversed().slice(0, 8))
  expect(await sagasWithMail(postgres, 2)).toEqual([])
  await postgres.query('DELETE FROM mail')
  await postgres.tx((tx) => sendMail(tx, [{ tenant, to: ids[0]!, body: 'x'.repeat(9 << 20) }]))
  expect(await sagasWithMail(postgres, 1)).toEqual([ids[0]])
})
