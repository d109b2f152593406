import type { Clock, Health, Logger, Metrics, Part } from '@splitstream/kernel'
import type { Config } from './config.ts'
import { type DefaultQuotas, Quotas } from './edge/quota/quotas.ts'
import type { RedisNodes } from './engines/redis/driver.ts'
import { RedisQuotaCounts } from './engines/redis/quota-counts.ts'
import type { ProcessHealth } from './health/process-health.ts'
import { watchRedis } from './health/watched-redis.ts'

/** Nobody waits for an answer about quotas, ms. */
const commandTimeoutMs = 250
/** A p99 above it is bad, ms: processes tell each other every 100 ms what they let through. */
const slowMs = 100

const meanwhile = {
  local: 'quotas of its tenants are counted by each process alone',
  open: 'quotas of its tenants are not enforced',
  closed: 'limited requests of its tenants are refused',
}

/** The quotas of this process: counted together with others over Redis when that is configured. */
export interface QuotasPart extends Part {
  readonly quotas: Quotas
  /** By part; nothing without Redis. */
  health(): Record<string, Health>
}

/** The quotas of those that have none of their own. */
export const defaultQuotas = (config: Config): DefaultQuotas => ({
  key: { requestsPerSecond: config.QUOTA_KEY_REQUESTS, bytesPerSecond: config.QUOTA_KEY_BYTES },
  tenant: { requestsPerSecond: config.QUOTA_TENANT_REQUESTS, bytesPerSecond: config.QUOTA_TENANT_BYTES },
})

export async function createQuotas(
  config: Config,
  o: { clock: Clock; logger: Logger; metrics: Metrics; health: ProcessHealth },
): Promise<QuotasPart> {
  const onFailure = config.QUOTA_ON_REDIS_FAILURE
  const { clock, logger, metrics, health } = o
  const redis = await connect(config, logger)
  const quotas = new Quotas({
    ...defaultQuotas(config),
    clock,
    metrics,
    shared:
      redis &&
      new RedisQuotaCounts(watchRedis(redis, { name: 'redis quotas', use: 'quotas', slowMs, health, metrics })),
    onFailure,
  })
  return {
    name: 'quotas',
    quotas,
    health: (): Record<string, Health> => (redis ? { quotas: redis.health() } : {}),
    start: async () => quotas.start(),
    stop: async () => {
      await quotas.stop()
      await redis?.close()
    },
  }
}

async function connect(config: Config, logger: Logger): Promise<RedisNodes | undefined> {
  if (!config.REDIS_URLS) return undefined
  // Loaded where there is a Redis: its client takes time and memory.
  const { connectRedis } = await import('./engines/redis/driver.ts')
  return connectRedis(config.REDIS_URLS, logger, commandTimeoutMs, meanwhile[config.QUOTA_ON_REDIS_FAILURE])
}
