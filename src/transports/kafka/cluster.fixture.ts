import { afterEach } from 'vitest'
import type { KafkaOptions } from '../../../test/support/kafka/cluster.ts'
import type { KafkaCluster } from '../../../test/support/kafka/start.ts'
import { kafkaOfSuite } from '../../../test/support/kafka/suite.ts'
import { createTopic } from '../../../test/support/kafka/topic.ts'
import { Cleanups, freshTopic } from './kafka.fixture.ts'

/** One cluster for the suite in which it is called, topics of its own, and what each test has to close. */
export function clusterOfSuite(options: KafkaOptions = {}) {
  const cleanups = new Cleanups()
  const kafka = kafkaOfSuite(options)

  afterEach(() => cleanups.run())

  return {
    cleanups,
    get cluster(): KafkaCluster {
      return kafka.cluster
    },
    /** A topic that the test makes by itself goes with the others. */
    forget(topic: string): void {
      kafka.topics.push(topic)
    },
    async topic(name: string, partitions: number, settings: Record<string, string> = {}): Promise<string> {
      const topic = freshTopic(name)
      kafka.topics.push(topic)
      await createTopic(kafka.brokers, { topic, partitions, settings })
      return topic
    },
  }
}
