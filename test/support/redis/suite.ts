import { describeUnless } from '../suite.ts'
import { redisUnavailable } from './program.ts'

const unavailable = await redisUnavailable()

/** A suite that needs redis-server. */
export function describeWithRedis(name: string, body: () => void): void {
  describeUnless(unavailable, name, body)
}
