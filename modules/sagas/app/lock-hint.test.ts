import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { connected } from '../../../src/engines/redis/driver.fixture.ts'
import type { RedisNodes } from '../../../src/engines/redis/driver.ts'
import { RedisLockHint } from '../../../src/engines/redis/lock-hint.ts'
import { type RedisServers, startRedis } from '../../../test/support/redis/start.ts'
import { describeWithRedis } from '../../../test/support/redis/suite.ts'
import { startDatabase, startWorker, tenant } from './worker.fixture.ts'

let servers: RedisServers
let redis: RedisNodes
let hint: RedisLockHint
let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof startWorker>>

describeWithRedis('locks of sagas with Redis in front', () => {
  beforeAll(async () => {
    servers = await startRedis()
    redis = await connected(servers.urls)
    hint = new RedisLockHint(redis)
    database = await startDatabase()
    worker = await startWorker(database.url, { hint })
    await worker.publish('calm', { steps: [{ id: 'mine', lock: { key: '${input.key}' } }] })
    await worker.publish('hasty', { steps: [{ id: 'mine', lock: { key: '${input.key}', timeout: '150ms' } }] })
  })

  afterAll(async () => {
    await worker?.stop()
    await database?.stop()
    await redis?.close()
    await servers?.stop()
  })

  let keys = 0
  let key = ''
  beforeEach(() => {
    key = `k${++keys}`
  })

  it('are free in Redis when their saga has ended', async () => {
    const { id } = await worker.start('calm', { key })
    await worker.until(id, 'completed')
    // The row is written before.
    await expect.poll(() => hint.acquire(`${tenant}/${key}`, 'another', 100)).toBe('acquired')
  })

  it('are had at once when Redis still names somebody who has let go', async () => {
    const statuses = new Set<string>()
    // A busy machine may well need 150 ms for it, once.
    for (let n = 0; n < 20 && !statuses.has('completed'); n++) {
      expect(await hint.acquire(`${tenant}/${key} ${n}`, 'somebody who is gone', 10_000)).toBe('acquired')
      const { id } = await worker.start('hasty', { key: `${key} ${n}` })
      await expect.poll(async () => (await worker.look(id)).status, { timeout: 20_000 }).not.toBe('running')
      statuses.add((await worker.look(id)).status)
    }
    expect([...statuses]).toContain('completed')
  })
})
