import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { kafkaLog, type LogSettings, type LogUnderTest } from '../contract/logs.ts'
import { streamPortSuite } from '../contract/stream-port.suite.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { deleteTopics } from '../support/kafka/topic.ts'

describeWithKafka('the stream port on three brokers', () => {
  let cluster: KafkaCluster
  const topics: string[] = []
  /** Opened while the case before runs: a topic takes half a second. */
  let ahead: Promise<LogUnderTest>

  const openFresh = (settings?: LogSettings): Promise<LogUnderTest> => {
    const topic = `stream-port-${randomUUID()}`
    topics.push(topic)
    const opening = kafkaLog(cluster.brokers, topic, settings)
    opening.catch(() => undefined) // whoever takes it hears of it
    return opening
  }

  beforeAll(async () => {
    cluster = await startKafka()
    ahead = openFresh()
  }, 300_000) // the jars may have to be downloaded first

  afterAll(async () => {
    await ahead?.then((log) => log.close())
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })

  streamPortSuite('Kafka', (settings) => {
    if (settings) return openFresh(settings)
    const opened = ahead
    ahead = openFresh()
    return opened
  })
})
