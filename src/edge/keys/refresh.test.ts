import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres, type Pool } from '../../engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../engines/postgres/migrate.ts'
import { KeyStore } from './key-store.ts'

let folder: string
let server: EmbeddedPostgres
let pool: Pool

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-keys-'))
  server = await startEmbeddedPostgres({ dataDir: folder })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  pool = connectPostgres({ url: moduleUrl(server.url, 'edge'), max: 2, applicationName: 'test' })
})
afterAll(async () => {
  await pool?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const make = (store: KeyStore) =>
  store.create({ name: 'k', tenant: 'acme', scopes: ['query'], expiresAt: null, quota: null }, 'all')

it('a key that another process revokes dies here, also when keys are changed here at each moment', async () => {
  const there = new KeyStore(pool, systemClock, silentLogger)
  const [stolen, busy] = [await make(there), await make(there)]
  let n = 0
  const query: Pool['query'] = async (sql, parameters) => {
    const rows = await pool.query(sql, parameters)
    if (sql.startsWith('SELECT')) await here.setQuota(busy.id, 'all', { requestsPerSecond: ++n })
    return rows as never
  }
  const here = new KeyStore({ query } as Pool, systemClock, silentLogger)
  await here.start()
  expect(here.authenticate(stolen.key)?.id).toBe(stolen.id)
  await there.revoke(stolen.id, 'all')
  await expect.poll(() => here.authenticate(stolen.key), { timeout: 10_000 }).toBeUndefined()
  expect(here.authenticate(busy.key)?.quota).toEqual({ requestsPerSecond: n })
  await here.stop()
})

it('a change that was made here while the keys were read holds', async () => {
  const held = Promise.withResolvers<void>()
  let holding = false
  const query: Pool['query'] = async (sql, parameters) => {
    const rows = await pool.query(sql, parameters)
    if (holding && sql.startsWith('SELECT')) await held.promise
    return rows as never
  }
  const store = new KeyStore({ query } as Pool, systemClock, silentLogger)
  const old = await make(store)
  holding = true
  const reading = store.start()
  const fresh = await make(store)
  await store.revoke(old.id, 'all')
  held.resolve()
  await reading
  expect([store.authenticate(old.key), store.authenticate(fresh.key)?.id]).toEqual([undefined, fresh.id])
  await store.stop()
})
