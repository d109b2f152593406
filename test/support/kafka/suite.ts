import { describeUnless } from '../suite.ts'
import { kafkaUnavailable } from './source.ts'

const unavailable = await kafkaUnavailable()

/** A suite that needs Kafka. */
export function describeWithKafka(name: string, body: () => void): void {
  describeUnless(unavailable, name, body)
}
