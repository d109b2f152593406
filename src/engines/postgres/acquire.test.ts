import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AppError, noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startToxicProxy, type ToxicProxy } from '../../../test/support/toxics/proxy.ts'
import { dependencyBreakers } from '../../resilience/dependencies.ts'
import { connectPostgres, type Pool } from './driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

let folder: string
let server: EmbeddedPostgres
let proxy: ToxicProxy
let db: Pool
const breakers = dependencyBreakers({ clock: systemClock, logger: silentLogger, metrics: noMetrics })
const breaker = breakers.get('postgres test', 2_000)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-pg-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  proxy = await startToxicProxy({ target: server.url })
  db = connectPostgres({ url: proxy.url, applicationName: 'breaker test', max: 2, connectTimeoutMs: 400, breaker })
})

afterEach(async () => {
  proxy.heal()
  proxy.open()
  await expect.poll(() => one().catch(() => []), { timeout: 10_000 }).toEqual([{ n: 1 }])
  expect(breaker.state()).toBe('closed')
})

afterAll(async () => {
  await db?.close()
  await proxy?.stop()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const one = () => db.query<{ n: number }>('SELECT 1 AS n')
const untilOpen = async () => {
  while (breaker.state() === 'closed') await Promise.allSettled(Array.from({ length: 6 }, one))
}

describe('the way to a connection', () => {
  it.each([
    ['refused', () => proxy.shut()],
    [
      'swallowed',
      () => {
        proxy.shut()
        proxy.open()
        proxy.set('up', { kind: 'timeout', ms: 0 })
      },
    ],
  ])('that is %s is not tried by everybody, and free again soon after', async (_, ill) => {
    await one()
    ill()
    await untilOpen()
    const ends = await Promise.all(Array.from({ length: 5 }, () => one().then(Number, (error: AppError) => error)))
    // All but one at most, who finds out whether it is back.
    const refused = ends.filter((end) => typeof end === 'object' && end.message.startsWith('Postgres: '))
    expect(refused.length).toBeGreaterThanOrEqual(4)
    for (const error of refused) expect(error).toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'none' } })
  })

  it('is not closed by statements that are refused, or slow', async () => {
    for (let i = 0; i < 30; i++) await expect(db.query('SELECT nothing')).rejects.toThrow()
    await Promise.all(Array.from({ length: 12 }, () => db.query('SELECT pg_sleep(0.05)')))
    expect(breaker.state()).toBe('closed')
  })
})
