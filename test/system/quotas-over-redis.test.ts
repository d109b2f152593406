import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServers, startRedis } from '../support/redis/start.ts'
import { describeWithRedis } from '../support/redis/suite.ts'
import { type RunningServer, startServer } from '../support/server.ts'

let redis: RedisServers
let server: RunningServer

const health = async () => {
  const answer = (await (await fetch(`${server.url}/health`)).json()) as {
    parts: Record<string, { state: string; reason?: string }>
  }
  return answer.parts.quotas
}
const send = async (): Promise<number> => {
  const { status } = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: crypto.randomUUID(), source: '/q', type: 't' }),
  })
  return status
}

describeWithRedis('a process that counts quotas over Redis', () => {
  beforeAll(async () => {
    redis = await startRedis(1)
    const env = { REDIS_URLS: redis.urls.join(), QUOTA_TENANT_REQUESTS: '1000', QUOTA_ON_REDIS_FAILURE: 'closed' }
    server = await startServer({ env: { ...env, LOG_LEVEL: 'warn' } })
  })
  afterAll(async () => {
    await server?.stop()
    await redis?.stop()
  })

  it('serves, and is ready though nobody else has started yet', async () => {
    await expect.poll(health).toEqual({ state: 'ok' })
    expect(await send()).toBe(202)
  })

  it('says so when Redis is gone, does what the policy says, and recovers', async () => {
    await redis.servers[0]!.kill()
    await expect.poll(send, { timeout: 5_000 }).toBe(503)
    expect(await health()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('Redis is away') })
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
    await redis.servers[0]!.start()
    await expect.poll(send, { timeout: 10_000 }).toBe(202)
    await expect.poll(health).toEqual({ state: 'ok' })
  })
})
