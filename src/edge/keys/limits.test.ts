import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Postgres, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectPostgres, type Pool } from '../../engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../engines/postgres/migrate.ts'
import { KeyStore, type Managed } from './key-store.ts'

let folder: string
let server: EmbeddedPostgres
let pool: Pool
let keys: KeyStore
/** Rows that the last question brought. */
let brought = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-keys-'))
  server = await startEmbeddedPostgres({ dataDir: folder })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  pool = connectPostgres({ url: moduleUrl(server.url, 'edge'), max: 1, applicationName: 'test' })
})
afterAll(async () => {
  await pool?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  await pool.query('DELETE FROM api_keys')
  const query: Postgres['query'] = async (sql, parameters) => {
    const rows = await pool.query(sql, parameters)
    brought = rows.length
    return rows as never
  }
  keys = new KeyStore({ query } as Postgres, systemClock, silentLogger)
  await keys.bootstrap(undefined)
})

/** As many keys of a tenant. `expires`, `revoked`: SQL. */
async function fill(n: number, tenant: string, o: { expires?: string; revoked?: string } = {}): Promise<void> {
  await pool.query(
    `INSERT INTO api_keys (id, name, tenant, scopes, hash, prefix, expires_at, revoked_at)
     SELECT gen_random_uuid(), 'k', $1, '{query}', sha256(gen_random_uuid()::text::bytea), '', ${o.expires ?? 'NULL'}, ${o.revoked ?? 'NULL'}
     FROM generate_series(1, $2)`,
    [tenant, n],
  )
}
const make = (tenant: string, as: Managed = { tenant }) =>
  keys.create({ name: 'new', tenant, scopes: ['query'], expiresAt: null, quota: null }, as)
const refused = { code: 'UNPROCESSABLE', message: expect.stringContaining('revoke some') }

describe('how many keys there may be', () => {
  it('counts none that has expired or was revoked, and none of them is in memory', async () => {
    await fill(6_000, 'noisy', { expires: "now() - interval '1 s'" })
    await fill(6_000, 'noisy', { revoked: 'now()' })
    await make('quiet')
    const { key } = await make('noisy')
    await keys.start()
    expect(brought).toBe(3)
    await keys.stop()
    expect(keys.authenticate(key)?.tenant).toBe('noisy')
  })

  it('leaves room for others, however many a tenant makes for itself', async () => {
    await fill(999, 'noisy')
    await make('noisy')
    await expect(make('noisy')).rejects.toMatchObject(refused)
    await make('quiet')
    await make('noisy', 'all')
  })

  it('has an end for the operator, too', async () => {
    await fill(10_000, 'many')
    await expect(make('other', 'all')).rejects.toMatchObject(refused)
    await expect(make('other')).rejects.toMatchObject(refused)
  })
})

describe('keys that ended', () => {
  it('do not push those that work out of a list', async () => {
    const { id } = await make('acme')
    await fill(20_000, 'acme', { expires: 'now()' })
    const listed = await keys.list({ tenant: 'acme' })
    expect([listed.length, listed.some((key) => key.id === id)]).toEqual([20_000, true])
  })

  it('are kept in a bounded number, the last ones of each tenant', async () => {
    await fill(500, 'noisy', { revoked: "now() - interval '2 days'" })
    await fill(800, 'noisy', { expires: "now() - interval '1 day'" })
    await fill(1_300, 'quiet', { revoked: 'now()' })
    const { id } = await make('noisy')
    const kept = await pool.query<{ tenant: string; n: number; old: number }>(
      `SELECT tenant, count(*)::int AS n, (count(*) FILTER (WHERE revoked_at < now() - interval '36 hours'))::int AS old
       FROM api_keys WHERE NOT operator GROUP BY tenant ORDER BY tenant`,
    )
    expect(kept).toEqual([
      { tenant: 'noisy', n: 1_001, old: 200 },
      { tenant: 'quiet', n: 1_300, old: 0 },
    ])
    expect((await keys.list({ tenant: 'noisy' }))[0]?.id).toBe(id)
  })

  it('are listed for 30 days, and then deleted by the next one that is made', async () => {
    await fill(1, 'acme', { expires: "now() - interval '29 days'" })
    await fill(1, 'acme', { revoked: "now() - interval '29 days'", expires: "now() + interval '1 day'" })
    await fill(1, 'acme', { expires: "now() - interval '31 days'" })
    await fill(1, 'acme', { expires: "now() - interval '31 days'", revoked: 'now()' })
    await fill(1, 'acme', { revoked: "now() - interval '31 days'" })
    expect(await keys.list({ tenant: 'acme' })).toHaveLength(2)
    await make('other')
    expect(await pool.query("SELECT id FROM api_keys WHERE tenant = 'acme'")).toHaveLength(2)
  })
})
