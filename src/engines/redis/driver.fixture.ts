import { type Logger, silentLogger } from '@splitstream/kernel'
import { expect, vi } from 'vitest'
import { connectRedis, type RedisNodes } from './driver.ts'

/** Where the time of an answer is not the matter: a busy machine may take it, ms. */
const patient = 10_000

/** Connections to all of these nodes. */
export async function connected(
  urls: readonly string[],
  log: Logger = silentLogger,
  commandTimeoutMs = patient,
): Promise<RedisNodes> {
  const redis = connectRedis(urls, log, commandTimeoutMs)
  await untilReady(redis, urls.length)
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
