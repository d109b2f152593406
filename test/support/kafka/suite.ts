import { afterAll, beforeAll } from 'vitest'
import { describeUnless } from '../suite.ts'
import type { KafkaOptions } from './cluster.ts'
import { kafkaUnavailable } from './source.ts'
import { type KafkaCluster, startKafka } from './start.ts'
import { deleteTopics } from './topic.ts'

const unavailable = await kafkaUnavailable()

/** A suite that needs Kafka. */
export function describeWithKafka(name: string, body: () => void): void {
  describeUnless(unavailable, name, body)
}

/** One cluster for the suite in which it is called. Topics that are pushed to `topics` go with it when it stays. */
export function kafkaOfSuite(options: KafkaOptions = {}) {
  const topics: string[] = []
  let cluster: KafkaCluster | undefined
  beforeAll(async () => {
    cluster = await startKafka(options)
  }, 300_000)
  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })
  return {
    topics,
    get brokers(): readonly string[] {
      return cluster!.brokers
    },
    get cluster(): KafkaCluster {
      return cluster!
    },
  }
}
