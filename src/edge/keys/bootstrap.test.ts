import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres } from '../../engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../engines/postgres/migrate.ts'
import { KeyStore } from './key-store.ts'

let folder: string
let server: EmbeddedPostgres

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-keys-'))
  server = await startEmbeddedPostgres({ dataDir: folder })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

it('processes that start at once with the same key all start', async () => {
  const url = moduleUrl(server.url, 'edge')
  const pools = Array.from({ length: 4 }, () => connectPostgres({ url, max: 1, applicationName: 'test' }))
  const key = 'x'.repeat(40)
  try {
    // Rarely do they meet: with one try each, 1 of 100 rounds fails.
    for (let round = 0; round < 500; round++) {
      await pools[0]!.query('DELETE FROM api_keys')
      await Promise.all(pools.map((pool) => new KeyStore(pool, systemClock, silentLogger).bootstrap(key)))
    }
    expect(await pools[0]!.query('SELECT id FROM api_keys')).toEqual([{ id: 'operator' }])
  } finally {
    await Promise.all(pools.map((pool) => pool.close()))
  }
})
