import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServers, startRedis } from '../support/redis/start.ts'
import { describeWithRedis } from '../support/redis/suite.ts'
import { type RunningServer, startServer } from '../support/server.ts'

let redis: RedisServers
let server: RunningServer

interface Row {
  readonly state: string
  readonly reason?: string
  readonly calls?: number
}
const all = async () =>
  (await (await fetch(`${server.url}/health`)).json()) as {
    parts: Record<string, Row>
    dependencies: Record<string, Row>
  }
const health = async () => (await all()).parts.quotas
const dependency = async () => (await all()).dependencies['redis quotas']
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

  it('tells how Redis is, by its calls, and how long they take', async () => {
    for (let i = 0; i < 5; i++) {
      const { calls = 0 } = (await dependency())!
      expect(await send()).toBe(202)
      await expect.poll(async () => (await dependency())?.calls, { timeout: 5_000 }).toBe(calls + 1)
    }
    expect(await dependency()).toMatchObject({ state: 'ok', errorRate: 0, p99Ms: expect.any(Number) })
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toMatch(/^db_client_operation_duration_seconds_count\{[^}]*"redis"[^}]*"quotas"[^}]*\} [1-9]/m)
    expect(metrics).toMatch(/^splitstream_dependency_p99_seconds\{[^}]*="redis quotas"\} 0\.\d/m)
  })

  it('says so when Redis is gone, does what the policy says, and recovers', async () => {
    await redis.servers[0]!.kill()
    await expect.poll(send, { timeout: 5_000 }).toBe(503)
    expect(await health()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('Redis is away') })
    // Where nobody asks for anything too.
    const away = { state: 'down', reason: 'Redis does not answer: no node is connected' }
    await expect.poll(dependency, { timeout: 10_000 }).toMatchObject(away)
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
    await redis.servers[0]!.start()
    await expect.poll(send, { timeout: 10_000 }).toBe(202)
    await expect.poll(health).toEqual({ state: 'ok' })
    await expect.poll(dependency, { timeout: 45_000, interval: 500 }).toMatchObject({ state: 'ok' })
  })
})
