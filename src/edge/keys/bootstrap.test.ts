import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectPostgres, type Pool } from '../../engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../engines/postgres/migrate.ts'
import { KeyStore } from './key-store.ts'

let folder: string
let server: EmbeddedPostgres
let pools: readonly Pool[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-keys-'))
  server = await startEmbeddedPostgres({ dataDir: folder })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  const url = moduleUrl(server.url, 'edge')
  pools = Array.from({ length: 4 }, () => connectPostgres({ url, max: 1, applicationName: 'test' }))
})
afterAll(async () => {
  await Promise.all((pools ?? []).map((pool) => pool.close()))
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => pools[0]!.query('DELETE FROM api_keys'))

const key = 'x'.repeat(40)

/** A process that starts: its store, what it prints, and what it logs. */
async function start(chosen: string | undefined, pool = pools[0]!) {
  const said: string[] = []
  const keys = new KeyStore(pool, systemClock, { ...silentLogger, info: (message) => said.push(message) })
  return { keys, printed: await keys.bootstrap(chosen), said }
}

it('processes that start at once with the same key all start', async () => {
  // Rarely do they meet: with one try each, 1 of 100 rounds fails.
  for (let round = 0; round < 500; round++) {
    await pools[0]!.query('DELETE FROM api_keys')
    await Promise.all(pools.map((pool) => start(key, pool)))
  }
  expect(await pools[0]!.query('SELECT id FROM api_keys')).toEqual([{ id: 'operator' }])
})

describe('ADMIN_KEY', () => {
  it('is the operator’s key until it is changed: no rotation stands that the next start would undo', async () => {
    const { keys } = await start(key)
    await expect(keys.rotate('operator', 'all', 0)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('change ADMIN_KEY'),
    })
    await expect(keys.revoke('operator', 'all')).rejects.toThrow('change ADMIN_KEY')
    expect(await keys.rotate('operator', { tenant: 'default' }, 0)).toBeUndefined()
    expect(keys.authenticate(key)?.operator).toBe(true)

    const changed = 'y'.repeat(40)
    const { keys: next } = await start(changed)
    await keys.start()
    for (const store of [keys, next])
      expect([store.authenticate(key), store.authenticate(changed)?.operator]).toEqual([undefined, true])
    await keys.stop()
  })

  it('is said to be it when it becomes it, and not at every start', async () => {
    const before = await start(undefined)
    expect([(await start(key)).said.length, (await start(key)).said, before.said]).toEqual([1, [], []])
  })

  it('ends what a rotation before it left', async () => {
    const { keys, printed } = await start(undefined)
    const rotated = await keys.rotate('operator', 'all', 3_600)
    expect(keys.authenticate(printed!)?.operator).toBe(true)
    const { keys: next } = await start(rotated!.key)
    expect([next.authenticate(printed!), next.authenticate(rotated!.key)?.operator]).toEqual([undefined, true])
  })
})

it('without ADMIN_KEY the operator’s key is made once, and a rotation of it stands', async () => {
  const { keys, printed } = await start(undefined)
  const rotated = await keys.rotate('operator', 'all', 0)
  const { keys: next, printed: again } = await start(undefined)
  expect(again).toBeUndefined()
  for (const store of [keys, next])
    expect([store.authenticate(printed!), store.authenticate(rotated!.key)?.operator]).toEqual([undefined, true])
})
