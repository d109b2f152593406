import { startRedis } from '../../support/redis/start.ts'
import type { Findings } from '../findings.ts'
import { inFolder, judge } from '../trial.ts'
import { runDatabaseClock, runWorkerClocks, shiftable } from './clocks.ts'
import { Installation } from './installation.ts'
import { runRedisWiped } from './redis.ts'
import { runZombie, zombies } from './zombies.ts'

export interface ZombieOptions {
  readonly from: number
  readonly keep: boolean
}

/** Workers that believe what is over, clocks that step, Redis that forgets. Returns the number of parts that failed. */
export async function runZombies({ from, keep }: ZombieOptions): Promise<number> {
  let failed = 0
  await inFolder({ name: 'zombies', keep }, async (home) => {
    const redis = await startRedis()
    try {
      const env = { ...shiftable(home), REDIS_URLS: redis.urls.join(',') }
      await using installation = await Installation.start({ workers: 3, home, env })
      const parts = [
        ...zombies.map((zombie, i) => (findings: Findings) => runZombie(zombie, from + i, installation, findings)),
        (findings: Findings) => runRedisWiped(from, redis, installation, findings),
        (findings: Findings) => runWorkerClocks(from, home, installation, findings),
        (findings: Findings) => runDatabaseClock(from, installation, findings),
      ]
      for (const part of parts) if (!(await judge({}, part))) failed++
    } finally {
      await redis.stop()
    }
    return failed === 0
  })
  return failed
}
