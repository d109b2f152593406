import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { patiently } from '../support/kafka/patiently.ts'
import { perfTest } from '../support/kafka/perf.ts'
import { soonReplaced } from '../support/kafka/settings.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { createTopic, deleteTopics, untilInSync } from '../support/kafka/topic.ts'

// Unlike those of any other run: the cluster may be an external one.
const topic = `cluster-test-${randomUUID()}`
const perfTopic = `${topic}-perf`

describeWithKafka('three real brokers', () => {
  let cluster: KafkaCluster
  let kafka: Kafka

  beforeAll(async () => {
    cluster = await startKafka({ settings: soonReplaced })
    kafka = new Kafka({ clientId: 'cluster-test', brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    await createTopic(cluster.brokers, { topic, partitions: 6 })
  }, 300_000) // the jars may have to be downloaded first

  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, [topic, perfTopic])
    await cluster?.stop()
  })

  /** Sends these values, one record each, acknowledged by all replicas in sync. */
  async function produce(values: readonly string[]): Promise<void> {
    const producer = kafka.producer({ idempotent: true, retry: { retries: 20, maxRetryTime: 2_000 } })
    await patiently(() => producer.connect())
    await producer.send({ topic, acks: -1, messages: values.map((value) => ({ key: value, value })) })
    await producer.disconnect()
  }

  /** All values in the topic once there are `count`, read by a group of their own. */
  async function consume(groupId: string, count: number): Promise<string[]> {
    const consumer = kafka.consumer({
      groupId: `${topic}-${groupId}`,
      maxWaitTimeInMs: 200,
      retry: { retries: 20, maxRetryTime: 2_000 },
    })
    await patiently(() => consumer.connect())
    await patiently(() => consumer.subscribe({ topic, fromBeginning: true }))
    const found: string[] = []
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
        if (found.push(String(message.value)) >= count) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    await consumer.disconnect()
    return found.sort()
  }

  const values = (name: string): string[] => Array.from({ length: 100 }, (_, i) => `${name}-${100 + i}`)

  it('keep what they acknowledged while one of them is dead, and after it came back', async () => {
    const [before, during, after] = [values('before'), values('during'), values('after')]
    await produce(before)
    expect(await consume('one', 100)).toEqual(before)

    const node = cluster.nodes.at(-1)
    await node?.kill()
    await produce(during)
    expect(await consume('two', 200)).toEqual([...before, ...during])

    await node?.start()
    await untilInSync(cluster.brokers, topic, 3)
    await produce(after)
    expect(await consume('three', 300)).toEqual([...after, ...before, ...during])
  }, 120_000) // a busy machine takes its time to miss a broker and to start one

  it('are measured by their own producer', async () => {
    await createTopic(cluster.brokers, { topic: perfTopic, partitions: 6 })
    const test = { topic: perfTopic, records: 5_000, payload: { bytes: 200 }, producer: { 'compression.type': 'zstd' } }
    expect(await perfTest(cluster, test)).toBeGreaterThan(100)
    await expect(
      perfTest(cluster, { ...test, topic: 'no-such-topic', producer: { 'max.block.ms': '1000' }, records: 1 }),
    ).rejects.toThrow()
  })
})
