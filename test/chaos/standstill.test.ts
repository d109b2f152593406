import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/engines/postgres/embedded.ts'
import { Standstill } from './standstill.ts'

let folder: string
let server: EmbeddedPostgres
let client: pg.Client

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-standstill-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query('CREATE SCHEMA storage')
  await client.query('CREATE TABLE storage.progress (log_partition int PRIMARY KEY, next_offset bigint)')
}, 60_000)

afterAll(async () => {
  await client?.end()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const stored = (partition: number) =>
  client.query(
    `INSERT INTO storage.progress AS p VALUES ($1, 1)
     ON CONFLICT (log_partition) DO UPDATE SET next_offset = p.next_offset + 1`,
    [partition],
  )

it('tells of the partition that stands still, for how long, and of those that are not there', async () => {
  for (const partition of [0, 1]) await stored(partition)
  await using standstill = new Standstill(server.url)
  await standstill.start(2)
  const from = performance.now()
  while (standstill.longestMs < 1_000) await stored(0)
  expect(performance.now() - from).toBeGreaterThan(950)
  expect(await standstill.still(from)).toEqual([1])
  await stored(1)
  expect(await standstill.still(from)).toEqual([])

  await using third = new Standstill(server.url)
  await expect(third.start(3, 500)).rejects.toThrow('only 2 of 3 partitions are stored')
})

it('does not count the time in which it could not look itself', async () => {
  await stored(0)
  await using standstill = new Standstill(server.url)
  await standstill.start(2)
  for (const end = performance.now() + 2_000; performance.now() < end; );
  for (const partition of [0, 1]) await stored(partition)
  await expect.poll(() => standstill.still(performance.now() - 1_000)).toEqual([])
  expect(standstill.longestMs).toBeLessThan(1_500)
})
