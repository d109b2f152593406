import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServers, startRedis } from '../../../test/support/redis/start.ts'
import { describeWithRedis } from '../../../test/support/redis/suite.ts'
import { connected } from './driver.fixture.ts'
import type { RedisNodes } from './driver.ts'
import { RedisLockHint } from './lock-hint.ts'

let servers: RedisServers
let redis: RedisNodes
let hint: RedisLockHint
let raw: Redis[]
let keys = 0
const newKey = () => `key ${++keys}`

describeWithRedis('a lock hint over three nodes', () => {
  beforeAll(async () => {
    servers = await startRedis()
    redis = await connected(servers.urls)
    hint = new RedisLockHint(redis)
    raw = servers.urls.map((url) => new Redis(url))
  })

  afterAll(async () => {
    await redis.close()
    for (const client of raw) client.disconnect()
    await servers.stop()
  })

  const holders = async (key: string) => await Promise.all(raw.map((client) => client.get(`splitstream:lock:${key}`)))

  it('is acquired by one, held for others, and free when released', async () => {
    const key = newKey()
    expect(await hint.acquire(key, 'A', 10_000)).toBe('acquired')
    expect(await hint.acquire(key, 'B', 10_000)).toBe('held')
    await hint.release(key, 'B') // not its own
    expect(await hint.acquire(key, 'B', 10_000)).toBe('held')
    await hint.release(key, 'A')
    await hint.release(key, 'A')
    expect(await hint.acquire(key, 'B', 10_000)).toBe('acquired')
  })

  it('never keeps its own holder out: a saga goes on in another worker', async () => {
    const key = newKey()
    expect(await hint.acquire(key, 'A', 300)).toBe('acquired')
    const elsewhere = await connected(servers.urls)
    expect(await new RedisLockHint(elsewhere).acquire(key, 'A', 10_000)).toBe('acquired')
    await elsewhere.close()
    expect(await raw[0]!.pttl(`splitstream:lock:${key}`)).toBeGreaterThan(5_000)
  })

  it('expires', async () => {
    const key = newKey()
    expect(await hint.acquire(key, 'A', 2_000)).toBe('acquired')
    expect(await hint.acquire(key, 'B', 10_000)).toBe('held')
    await expect.poll(() => hint.acquire(key, 'B', 10_000)).toBe('acquired')
  })

  it('goes to one at most of those that ask at once, and leaves nothing of the others', async () => {
    const processes = await Promise.all(Array.from({ length: 4 }, () => connected(servers.urls)))
    const hints = processes.map((nodes) => new RedisLockHint(nodes))
    for (let round = 0; round < 50; round++) {
      const key = newKey()
      const names = Array.from({ length: 20 }, (_, i) => `holder ${i}`)
      const answers = await Promise.all(names.map((name, i) => hints[i % 4]!.acquire(key, name, 10_000)))
      const winners = names.filter((_, i) => answers[i] === 'acquired')
      expect(winners.length).toBeLessThanOrEqual(1)
      // One vote of three may have been another's for a moment, so the winner can have two.
      const others = async () => (await holders(key)).filter((holder) => holder !== null && holder !== winners[0])
      await expect.poll(others).toEqual([])
      expect((await holders(key)).filter(Boolean).length).toBeGreaterThanOrEqual(winners.length === 0 ? 0 : 2)
    }
    await Promise.all(processes.map((nodes) => nodes.close()))
  })

  it('is unknown when no two nodes name the same holder, and gives back its own vote', async () => {
    const key = newKey()
    await raw[0]!.set(`splitstream:lock:${key}`, 'A', 'PX', 10_000)
    await raw[1]!.set(`splitstream:lock:${key}`, 'B', 'PX', 10_000)
    expect(await hint.acquire(key, 'C', 10_000)).toBe('unknown')
    await expect.poll(() => holders(key)).toEqual(['A', 'B', null])
  })

  it('gives back the vote of one node when two say held', async () => {
    const key = newKey()
    for (const client of raw.slice(0, 2)) await client.set(`splitstream:lock:${key}`, 'A', 'PX', 10_000)
    expect(await hint.acquire(key, 'C', 10_000)).toBe('held')
    await expect.poll(() => holders(key)).toEqual(['A', 'A', null])
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -5, 0])('never throws, with a TTL of %d', async (ttlMs) => {
    expect(await hint.acquire(newKey(), 'A', ttlMs)).toBe('unknown')
  })

  it('never throws when Redis refuses', async () => {
    const key = newKey()
    for (const client of raw) await client.lpush(`splitstream:lock:${key}`, 'not a string')
    expect(await hint.acquire(key, 'A', 10_000)).toBe('unknown')
    await hint.release(key, 'A')
  })

  it('works with one node', async () => {
    const one = await connected(servers.urls.slice(0, 1))
    const single = new RedisLockHint(one)
    const key = newKey()
    expect(await single.acquire(key, 'A', 10_000)).toBe('acquired')
    expect(await single.acquire(key, 'B', 10_000)).toBe('held')
    await one.close()
  })
})
