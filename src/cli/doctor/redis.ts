import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { connectRedis } from '../../engines/redis/driver.ts'
import { hostOf } from '../../engines/redis/urls.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { ms } from './units.ts'

/** The driver waits so long for an answer, ms; beyond it, locks and quotas do without Redis. */
const hintMs = 40
const connectMs = 3_000

/** Each node by itself. Locks and quotas do without Redis, and whoever names one wants it: one that is away fails. */
export function redisChecks({ REDIS_URLS: urls = [] }: Config): Check[] {
  return urls.map((url) => ({ name: `Redis ${hostOf(url)}`, run: (signal) => checkNode(url, signal) }))
}

async function checkNode(url: string, signal: AbortSignal): Promise<Finding> {
  let said = 'no connection'
  const logger = { ...silentLogger, warn: (_: string, fields?: { error?: unknown }) => (said = String(fields?.error)) }
  const nodes = connectRedis([url], logger as never, 1_000)
  try {
    const [node] = nodes.nodes
    for (const until = performance.now() + connectMs; !node!.ready && performance.now() < until; )
      await delay(20, undefined, { signal })
    if (!node!.ready)
      return fail(said, 'it does not answer as REDIS_URLS says: is it up, and are name and password right?')
    await node!.run('return 1', 'splitstream:doctor', [])
    const from = performance.now()
    const info = String(await node!.run("return redis.call('INFO', 'server')", 'splitstream:doctor', []))
    const took = performance.now() - from
    const found = `version ${/redis_version:(\S+)/.exec(info)?.[1] ?? 'not told'}, round trip ${ms(took)}`
    return took > hintMs ? warn(found, `answers after ${hintMs} ms are not waited for: bring it nearer`) : ok(found)
  } finally {
    await nodes.close()
  }
}
