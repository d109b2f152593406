import { systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDatabase } from '../app/worker.fixture.ts'
import { CurrentPartition } from './partitions.ts'

let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())

const week = 7 * 86_400_000
const idAt = (at: number): string => uuidv7(systemRandom, at)
const partitionAt = (now: number) => new CurrentPartition(database.postgres, () => now)

describe('the table of some sagas', () => {
  it('is the partition that holds them when all were started this week', async () => {
    const now = Date.now()
    const id = idAt(now)
    const table = await partitionAt(now).tableOf([id, idAt(now)])
    await database.postgres.query(
      `INSERT INTO sagas (id, version, tenant, name, fence, status, journal) VALUES ($1, 1, 't', 'n', 1, 'running', '')`,
      [id],
    )
    const [row] = await database.postgres.query<{ held: string }>(
      'SELECT tableoid::regclass::text AS held FROM sagas WHERE id = $1',
      [id],
    )
    expect(table).toMatch(/^sagas_\d{8}$/)
    expect(table).toBe(row?.held)
  })

  it('is the table of all when one is of another week', async () => {
    const now = Date.now()
    const partition = partitionAt(now)
    expect(await partition.tableOf([idAt(now), idAt(now - week)])).toBe('sagas')
    expect(await partition.tableOf([idAt(now + week)])).toBe('sagas')
  })

  it('is the table of all while this week has no partition', async () => {
    const now = Date.now() + 52 * week
    expect(await partitionAt(now).tableOf([idAt(now)])).toBe('sagas')
  })

  it('changes with the week', async () => {
    let now = Date.now()
    const partition = new CurrentPartition(database.postgres, () => now)
    const first = await partition.tableOf([idAt(now)])
    now += week
    expect(await partition.tableOf([idAt(now - week)])).toBe('sagas')
    expect(await partition.tableOf([idAt(now)])).not.toBe(first)
  })
})
