import { type Logger, silentLogger } from '@splitstream/kernel'
import { expect, vi } from 'vitest'
import { connectRedis, type RedisNodes } from './driver.ts'

/** Resolves when all nodes are connected, or all that can be: `reachable`. */
export async function connected(
  urls: readonly string[],
  log: Logger = silentLogger,
  reachable = urls.length,
): Promise<RedisNodes> {
  const redis = connectRedis(urls, log)
  await untilReady(redis, reachable)
  return redis
}

/** Waits until exactly this many nodes are connected. */
export async function untilReady(redis: RedisNodes, count: number): Promise<void> {
  await vi.waitFor(() => expect(readyCount(redis)).toBe(count), { timeout: 10_000, interval: 20 })
}

function readyCount(redis: RedisNodes): number {
  const { reason } = redis.health()
  return redis.nodes.filter(({ name }) => !reason?.includes(name)).length
}
