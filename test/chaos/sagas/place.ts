import { type RedisServers, startRedis } from '../../support/redis/start.ts'
import type { Findings } from '../findings.ts'
import { shiftable } from './clocks.ts'
import { Installation } from './installation.ts'

/** Where all runs happen: one installation with three workers, whose clocks can be stepped, and three Redis nodes. */
export interface SagaPlace {
  readonly home: string
  readonly installation: Installation
  readonly redis: RedisServers
}

/** A part of a run: checks one thing by itself. */
export type Part = (place: SagaPlace, seed: number, findings: Findings) => Promise<object>

/** Measures something that happens to an installation, and checks all but the figures. */
export type Measurement<T> = (place: Pick<SagaPlace, 'installation'>, seed: number, findings: Findings) => Promise<T>

/** Starts the place, and takes it down however `work` ends. */
export async function inSagaPlace<T>(home: string, work: (place: SagaPlace) => Promise<T>): Promise<T> {
  const redis = await startRedis()
  try {
    const env = { ...shiftable(home), REDIS_URLS: redis.urls.join(',') }
    await using installation = await Installation.start({ workers: 3, home, env })
    return await work({ home, installation, redis })
  } finally {
    await redis.stop()
  }
}
