import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { kafkaLog, kafkaLogOfEvents, type LogSettings, type LogUnderTest, type OpenLog } from '../contract/logs.ts'
import { streamPortSuite } from '../contract/stream-port.suite.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { deleteTopics } from '../support/kafka/topic.ts'

describeWithKafka('the stream port on three brokers', () => {
  let cluster: KafkaCluster
  const topics: string[] = []
  /** Opened while the case before runs: a topic takes half a second. */
  const ahead = new Map<typeof kafkaLog, Promise<LogUnderTest>>()

  const openFresh = (open: typeof kafkaLog, settings?: LogSettings): Promise<LogUnderTest> => {
    const topic = `stream-port-${randomUUID()}`
    topics.push(topic)
    const opening = open(cluster.brokers, topic, settings)
    opening.catch(() => undefined) // whoever takes it hears of it
    return opening
  }
  const oneAhead =
    (open: typeof kafkaLog): OpenLog =>
    (settings) => {
      if (settings) return openFresh(open, settings)
      const opened = ahead.get(open) ?? openFresh(open)
      ahead.set(open, openFresh(open))
      return opened
    }

  beforeAll(async () => {
    cluster = await startKafka()
  }, 300_000) // the jars may have to be downloaded first

  afterAll(async () => {
    for (const opening of ahead.values()) await (await opening).close()
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })

  streamPortSuite('Kafka', oneAhead(kafkaLog))
  streamPortSuite('Kafka, a record for each event', oneAhead(kafkaLogOfEvents))
})
