import { afterAll, afterEach, beforeAll } from 'vitest'
import type { KafkaOptions } from '../../../test/support/kafka/cluster.ts'
import { type KafkaCluster, startKafka } from '../../../test/support/kafka/start.ts'
import { createTopic, deleteTopics } from '../../../test/support/kafka/topic.ts'
import { Cleanups, freshTopic } from './kafka.fixture.ts'

/** One cluster for the suite in which it is called, topics of its own, and what each test has to close. */
export function clusterOfSuite(options: KafkaOptions = {}) {
  const cleanups = new Cleanups()
  const topics: string[] = []
  let cluster: KafkaCluster | undefined

  beforeAll(async () => {
    cluster = await startKafka(options)
  }, 300_000)
  afterEach(() => cleanups.run())
  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })

  return {
    cleanups,
    get cluster(): KafkaCluster {
      return cluster!
    },
    /** A topic that the test makes by itself goes with the others. */
    forget(topic: string): void {
      topics.push(topic)
    },
    async topic(name: string, partitions: number, settings: Record<string, string> = {}): Promise<string> {
      const topic = freshTopic(name)
      topics.push(topic)
      await createTopic(cluster!.brokers, { topic, partitions, settings })
      return topic
    },
  }
}
