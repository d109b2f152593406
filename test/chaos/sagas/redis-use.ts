import { Redis } from 'ioredis'
import type { RedisServers } from '../../support/redis/start.ts'

/** Reads one section of INFO from each node that answers; of one that is away or stands still, nothing. */
async function info({ urls }: RedisServers, section: string): Promise<string[]> {
  const read = async (url: string): Promise<string> => {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, commandTimeout: 1_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await client.info(section)
    } catch {
      return ''
    } finally {
      client.disconnect()
    }
  }
  return await Promise.all(urls.map(read))
}

const numberAfter = (text: string, name: string): number => Number(new RegExp(`${name}(\\d+)`).exec(text)?.[1] ?? 0)

/** How many votes for locks all nodes gave since each was started. */
export async function votes(redis: RedisServers): Promise<number> {
  const answers = await info(redis, 'commandstats')
  return answers.reduce((sum, text) => sum + numberAfter(text, 'cmdstat_set:calls='), 0)
}

/** Of how many processes the node has connections that has the fewest; this one's own among them. */
export async function connections(redis: RedisServers): Promise<number> {
  const answers = await info(redis, 'clients')
  return Math.min(...answers.map((text) => numberAfter(text, 'connected_clients:')))
}
