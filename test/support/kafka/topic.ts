import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import '../../../src/transports/kafka/quiet-queue.ts'
import { patiently } from './patiently.ts'

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly settings?: Readonly<Record<string, string>>
}

const DEADLINE_MS = 60_000

/** A topic with three replicas; resolves when it can be used. @throws Error */
export async function createTopic(brokers: readonly string[], { topic, partitions, settings }: NewTopic) {
  await withAdmin(brokers, async (admin) => {
    const configEntries = Object.entries(settings ?? {}).map(([name, value]) => ({ name, value }))
    // waitForLeaders would throw "does not host this topic-partition" when one broker has not heard of the topic yet.
    const topics = [{ topic, numPartitions: partitions, replicationFactor: 3, configEntries }]
    await patiently(() => admin.createTopics({ waitForLeaders: false, topics }))
  })
  await untilInSync(brokers, topic, 3)
}

/** For a cluster that stays. @throws Error */
export async function deleteTopics(brokers: readonly string[], topics: readonly string[]): Promise<void> {
  await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [...topics] }))
}

/** Waits until every partition has a leader and this many replicas in sync. @throws Error after a minute */
export async function untilInSync(brokers: readonly string[], topic: string, replicas: number): Promise<void> {
  await withAdmin(brokers, async (admin) => {
    const deadline = performance.now() + DEADLINE_MS
    for (;;) {
      const found = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)
      const partitions = found?.topics[0]?.partitions ?? []
      if (partitions.length > 0 && partitions.every((p) => p.leader >= 0 && p.isr.length >= replicas)) return
      if (performance.now() > deadline) throw new Error(`${topic} had no ${replicas} replicas in sync in time`)
      await delay(100)
    }
  })
}

async function withAdmin(brokers: readonly string[], use: (admin: Admin) => Promise<void>): Promise<void> {
  const client = new Kafka({ clientId: 'splitstream-test', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  try {
    await patiently(() => admin.connect())
    await use(admin)
  } finally {
    await admin.disconnect().catch(() => {})
  }
}
