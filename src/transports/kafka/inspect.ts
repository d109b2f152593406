import { type Logger, messageOf } from '@splitstream/kernel'
import type { BrokerAccess } from './access.ts'
import { Brokers } from './brokers.ts'
import { kafkaClient, kafkaError } from './client.ts'
import { checkTopic, type TopicOptions } from './topic.ts'

export interface SeenTopic {
  /** That the cluster has now. */
  readonly brokers: number
  readonly exists: boolean
  /** What a start would refuse. */
  readonly wrong: string | undefined
  /** Of one request, ms. */
  readonly tookMs: number
}

/** Looks at a cluster and a topic, and changes nothing. @throws AppError UNAVAILABLE when no broker answers */
export async function inspectTopic(
  brokers: readonly string[],
  access: BrokerAccess,
  o: TopicOptions,
  logger: Logger,
): Promise<SeenTopic> {
  const admin = kafkaClient(new Brokers(brokers), access, 'splitstream-doctor', logger).admin({ retry: { retries: 1 } })
  try {
    await admin.connect()
    const from = performance.now()
    const cluster = await admin.describeCluster()
    const tookMs = performance.now() - from
    const exists = (await admin.listTopics()).includes(o.topic)
    const wrong = exists ? await checkTopic(admin, o).then(() => undefined, messageOf) : undefined
    return { brokers: cluster.brokers.length, exists, wrong, tookMs }
  } catch (error) {
    throw kafkaError('Kafka does not answer', error)
  } finally {
    void admin.disconnect().catch(() => undefined)
  }
}
