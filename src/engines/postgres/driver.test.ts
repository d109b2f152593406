import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startToxicProxy } from '../../../test/support/toxics/proxy.ts'
import { connectPostgres } from './driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { freePort } from './server.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

let folder: string
let server: EmbeddedPostgres
let db: ReturnType<typeof connectPostgres>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-pg-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  db = connectPostgres({ url: server.url, applicationName: 'driver test', max: 2, statementTimeoutMs: 300 })
  await db.query('CREATE TABLE t (id integer PRIMARY KEY, note text)')
})

afterAll(async () => {
  await db.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('statements', () => {
  it('with a name are prepared once for a connection, and take other values each time', async () => {
    const [first, second, prepared] = await db.tx(async (tx) => [
      await tx.query('SELECT $1::integer + 1 AS n', [1], 'next number'),
      await tx.query('SELECT $1::integer + 1 AS n', [2], 'next number'),
      await tx.query('SELECT name, (generic_plans + custom_plans)::integer AS calls FROM pg_prepared_statements'),
    ])
    expect([first, second]).toEqual([[{ n: 2 }], [{ n: 3 }]])
    expect(prepared).toEqual([{ name: 'next number', calls: 2 }])
  })
})

describe('transactions', () => {
  it('commits what returns and rolls back what throws', async () => {
    const answer = await db.tx(async (tx) => {
      await tx.query('INSERT INTO t VALUES ($1, $2)', [1, "it's; DROP TABLE t"])
      return 'done'
    })
    expect(answer).toBe('done')
    const mine = new Error('mine')
    const failed = db.tx(async (tx) => {
      await tx.query('INSERT INTO t VALUES (2)')
      throw mine
    })
    await expect(failed).rejects.toBe(mine)
    expect(await db.query('SELECT id, note FROM t')).toEqual([{ id: 1, note: "it's; DROP TABLE t" }])
  })

  it('does not report success when a swallowed failure made Postgres roll back', async () => {
    const swallowed = db.tx(async (tx) => {
      await tx.query('INSERT INTO t VALUES (3)')
      await tx.query('SELECT nonsense').catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'INTERNAL' })
    expect(await db.query('SELECT 1 FROM t WHERE id = 3')).toEqual([])
  })

  it('cannot be used when it is over', async () => {
    const leaked = await db.tx(async (tx) => tx)
    await expect(leaked.query('SELECT 1')).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})

describe('errors', () => {
  it('become codes of the catalogue, without SQL or values', async () => {
    await db.query('INSERT INTO t VALUES (10)')
    const twice = await db.query('INSERT INTO t VALUES (10)').catch((error: unknown) => error)
    expect(twice).toMatchObject({ code: 'CONFLICT', details: { sqlState: '23505', outcome: 'none' } })
    expect(String(twice)).not.toContain('10')
    await expect(db.query('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await expect(db.query('SELEC 1')).rejects.toMatchObject({ code: 'INTERNAL', details: { sqlState: '42601' } })
  })

  it('say UNAVAILABLE when nothing listens, and that nothing happened', async () => {
    const url = `postgres://a:b@127.0.0.1:${await freePort()}/c`
    const away = connectPostgres({ url, applicationName: 'test', connectTimeoutMs: 500 })
    await expect(away.query('SELECT 1')).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'none' } })
    await away.close()
    await expect(away.query('SELECT 1')).rejects.toMatchObject({ code: 'STOPPING' })
  })

  it('name the setting when the server takes no more connections', async () => {
    await db.query(`CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0`)
    const url = server.url.replace(/\/\/.*@/, '//crowded:crowded@')
    const crowded = connectPostgres({ url, applicationName: 'driver test' })
    const refused = { code: 'OVERLOADED', message: expect.stringContaining('max_connections') as string }
    await expect(crowded.query('SELECT 1')).rejects.toMatchObject(refused)
    await crowded.close()
  })

  it('say UNAVAILABLE when the pool has no connection in time, and recover', async () => {
    const small = connectPostgres({ url: server.url, applicationName: 'test', max: 1, connectTimeoutMs: 500 })
    await small.query('SELECT 1')
    const slow = small.query('SELECT pg_sleep(1.5)')
    await expect(small.query('SELECT 1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await slow
    await small.query('SELECT 1')
    await small.close()
  })
})

describe('a lost connection', () => {
  const cut = async (name: string) =>
    await db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()`,
      [name],
    )

  it('while idle harms nobody', async () => {
    const victim = connectPostgres({ url: server.url, applicationName: 'idle victim' })
    await victim.query('SELECT 1')
    await cut('idle victim')
    await expect.poll(() => victim.query('SELECT 1 AS a').catch(() => undefined)).toEqual([{ a: 1 }])
    await victim.close()
  })

  it('inside a transaction is UNAVAILABLE with nothing done, and the next one works', async () => {
    const victim = connectPostgres({ url: server.url, applicationName: 'tx victim', max: 1 })
    const lost = victim.tx(async (tx) => {
      await tx.query('INSERT INTO t VALUES (20)')
      await cut('tx victim')
      await tx.query('INSERT INTO t VALUES (21)')
    })
    await expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'none' } })
    expect(await victim.query('SELECT id FROM t WHERE id >= 20')).toEqual([])
    await victim.close()
  })

  it('that is cut without a word ends when an answer is overdue, with the outcome open', async () => {
    const proxy = await startToxicProxy({ target: server.url })
    const victim = connectPostgres({ url: proxy.url, applicationName: 'cut off', statementTimeoutMs: 300, max: 1 })
    await victim.query('SELECT 1')
    proxy.set('down', { kind: 'timeout', ms: 0 })
    await expect(victim.query('SELECT 1')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { outcome: 'unknown' },
    })
    proxy.heal()
    expect(await victim.query('SELECT 1 AS a'), 'over another connection').toEqual([{ a: 1 }])
    await victim.close()
    await proxy.stop()
  })

  it('during a single statement leaves the outcome open', async () => {
    const victim = connectPostgres({ url: server.url, applicationName: 'busy victim' })
    const lost = victim.query('SELECT pg_sleep(3)').catch((error: unknown) => error)
    await expect
      .poll(
        async () => (await db.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'busy victim'`)).length,
      )
      .toBe(1)
    await cut('busy victim')
    expect(await lost).toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'unknown' } })
    await victim.close()
  })
})

it('the end of connections ends no process, whenever it comes', async () => {
  const busy = connectPostgres({ url: server.url, applicationName: 'cut', max: 6 })
  let over = false
  const ask = async (): Promise<void> => {
    while (!over) await busy.tx(async (tx) => await tx.query('SELECT 1')).catch(() => undefined)
  }
  const asking = Array.from({ length: 12 }, ask)
  // An error event that nobody listens to would fail the run.
  for (let i = 0; i < 300; i++) {
    await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut' LIMIT 2`)
  }
  over = true
  await Promise.all(asking)
  await busy.close()
})
