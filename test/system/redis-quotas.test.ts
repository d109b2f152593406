import { type AppError, noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import type { Principal } from '../../src/edge/keys/principal.ts'
import { type Limited, Quotas, type QuotasOptions } from '../../src/edge/quota/quotas.ts'
import { connected } from '../../src/engines/redis/driver.fixture.ts'
import type { RedisNodes } from '../../src/engines/redis/driver.ts'
import { RedisQuotaCounts } from '../../src/engines/redis/quota-counts.ts'
import { type RedisServers, startRedis } from '../support/redis/start.ts'
import { describeWithRedis } from '../support/redis/suite.ts'
import { Stalls } from '../support/stalls.ts'

/** What a process has for quotas, over the real Redis. */
interface Process {
  readonly redis: RedisNodes
  readonly quotas: Quotas
}

let servers: RedisServers
let tenants = 0
const started: Process[] = []
const newKey = (): Principal => {
  const tenant = `tenant${++tenants}`
  return { id: `key of ${tenant}`, tenant, scopes: new Set(), operator: false }
}

async function start(perSecond: number, onFailure: QuotasOptions['onFailure'] = 'local'): Promise<Process> {
  const redis = await connected(servers.urls, silentLogger, 250)
  const shared = new RedisQuotaCounts(redis)
  const key = { requestsPerSecond: perSecond }
  const quotas = new Quotas({ key, tenant: {}, clock: systemClock, metrics: noMetrics, shared, onFailure })
  quotas.start()
  started.push({ redis, quotas })
  return { redis, quotas }
}

/** One request: `passed`, or the code of its refusal. */
function ask({ quotas }: Process, key: Principal): string {
  const asked: Limited = { rateLimit: undefined }
  try {
    quotas.use('ingest', key, 0, systemClock.monotonic(), asked)
    return asked.rateLimit ? 'passed' : 'unlimited'
  } catch (error) {
    return (error as AppError).code
  }
}

interface Flood {
  /** How many passed, by process. */
  readonly passed: readonly number[]
  /** How long it lasted, and for how much of that nothing ran here, s. */
  readonly seconds: number
  readonly stalled: number
}

/** Every process asks 500 times a second, for so long. */
async function flood(processes: readonly Process[], key: Principal, ms: number): Promise<Flood> {
  using stalls = new Stalls()
  const passed = processes.map(() => 0)
  const from = performance.now()
  for (; performance.now() < from + ms; await systemClock.sleep(2)) {
    for (const [i, process] of processes.entries()) if (ask(process, key) === 'passed') passed[i]!++
  }
  const to = performance.now()
  return { passed, seconds: (to - from) / 1_000, stalled: stalls.between(from, to) / 1_000 }
}
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
const all = (act: 'kill' | 'pause' | 'resume' | 'start') => Promise.all(servers.servers.map((server) => server[act]()))

describeWithRedis('quotas that processes share', () => {
  beforeAll(async () => {
    servers = await startRedis()
  })
  afterEach(async () => {
    for (const { quotas, redis } of started.splice(0)) {
      await quotas.stop()
      await redis.close()
    }
  })
  afterAll(() => servers.stop())

  it('hold for all of them together', async () => {
    const processes = [await start(50), await start(50), await start(50)]
    const { passed, seconds, stalled } = await flood(processes, newKey(), 4_000)
    // 50 a second, what may be used at once, and what the others let through before they heard of it.
    expect(sum(passed)).toBeGreaterThanOrEqual(50 * (4 - stalled))
    expect(sum(passed)).toBeLessThanOrEqual(50 * seconds + 3 * 50 + 25)
  })

  it('are what is right on average, however long it goes on', async () => {
    const processes = [await start(50), await start(50)]
    const key = newKey()
    await flood(processes, key, 2_000)
    const { passed, seconds, stalled } = await flood(processes, key, 3_000)
    expect(sum(passed)).toBeGreaterThanOrEqual(130 - 50 * stalled)
    expect(sum(passed)).toBeLessThanOrEqual(50 * seconds + 20)
  })

  it('are whole for each tenant, wherever it is counted', async () => {
    const [one, two] = [await start(10), await start(10)]
    for (let i = 0; i < 20; i++) {
      const key = newKey()
      expect(Array.from({ length: 10 }, () => ask(one, key))).toEqual(Array(10).fill('passed'))
      await vi.waitFor(() => expect(ask(two, key)).toBe('RATE_LIMITED'), { timeout: 2_000, interval: 5 })
    }
  })

  it('leave nothing behind in Redis', async () => {
    const process = await start(1_000)
    ask(process, newKey())
    const keys = async (): Promise<number> => {
      const script = `return #redis.call('KEYS', 'splitstream:quota:*')`
      return sum((await Promise.all(process.redis.nodes.map((node) => node.run(script, '', [])))) as number[])
    }
    await vi.waitFor(async () => expect(await keys()).toBeGreaterThan(0), { timeout: 2_000, interval: 20 })
    await vi.waitFor(async () => expect(await keys()).toBe(0), { timeout: 10_000, interval: 100 })
  })

  it.each(['kill', 'pause'] as const)('follow the policy when Redis is gone (%s), and come back', async (fault) => {
    const local = [await start(50, 'local'), await start(50, 'local')]
    const open = await start(50, 'open')
    const closed = await start(50, 'closed')
    const [localKey, openKey, closedKey] = [newKey(), newKey(), newKey()]
    await flood([...local], localKey, 300)
    await all(fault)
    try {
      await vi.waitFor(() => expect(ask(open, openKey)).toBe('unlimited'), { timeout: 5_000, interval: 5 })
      await vi.waitFor(() => expect(ask(closed, closedKey)).toBe('UNAVAILABLE'), { timeout: 5_000, interval: 5 })
      // Each for itself: neither more than its own quota, nor less.
      const { passed, seconds, stalled } = await flood(local, localKey, 3_000)
      for (const one of passed) {
        expect(one).toBeGreaterThanOrEqual(100 - 50 * stalled)
        expect(one).toBeLessThanOrEqual(50 * seconds + 60)
      }
      expect(ask(open, openKey)).toBe('unlimited')
      expect(ask(closed, closedKey)).toBe('UNAVAILABLE')
    } finally {
      await all(fault === 'kill' ? 'start' : 'resume')
    }
    await vi.waitFor(() => expect(ask(open, openKey)).not.toBe('unlimited'), { timeout: 10_000, interval: 20 })
    await vi.waitFor(() => expect(ask(closed, closedKey)).toBe('passed'), { timeout: 10_000, interval: 20 })
    await flood(local, localKey, 1_500)
    const { passed, seconds } = await flood(local, localKey, 2_000)
    expect(sum(passed)).toBeLessThanOrEqual(50 * seconds + 25)
  })
})
