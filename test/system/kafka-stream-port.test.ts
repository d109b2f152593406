import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { kafkaLog, kafkaLogOfEvents } from '../contract/logs.ts'
import { OneAhead } from '../contract/one-ahead.ts'
import { streamPortSuite } from '../contract/stream-port.suite.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { deleteTopics } from '../support/kafka/topic.ts'

describeWithKafka('the stream port on three brokers', () => {
  let cluster: KafkaCluster
  const topics: string[] = []
  const each = (open: typeof kafkaLog): OneAhead =>
    new OneAhead((settings) => {
      const topic = `stream-port-${randomUUID()}`
      topics.push(topic)
      return open(cluster.brokers, topic, settings)
    })
  const [batches, events] = [each(kafkaLog), each(kafkaLogOfEvents)]

  beforeAll(async () => {
    cluster = await startKafka()
  }, 300_000) // the jars may have to be downloaded first

  afterAll(async () => {
    for (const one of [batches, events]) await one.close()
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })

  streamPortSuite('Kafka', batches.open)
  streamPortSuite('Kafka, a record for each event', events.open)
})
