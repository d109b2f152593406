import { AppError, type Logger } from '@splitstream/kernel'
import type { Admin } from 'kafkajs'
import { kafkaError } from './client.ts'

export interface TopicOptions {
  readonly topic: string
  readonly partitions: number
  /** Copies of each record, and how many must have it before it is acknowledged. */
  readonly replication: number
  readonly minInSync: number
  /** How long Kafka keeps what was written, ms. */
  readonly retainMs: number
}

/** Of a batch as Kafka stores it. */
const maxMessageBytes = 32 << 20
/** Of one record's value: the rest is room for headers, and for what compression adds to what it cannot shrink. */
export const maxRecordBytes = maxMessageBytes - (64 << 10)

/**
 * Makes the topic when there is none, and checks the one that is there: what a 2xx promises rests on its settings.
 * @throws AppError CONFIG_INVALID naming what is wrong with it, UNAVAILABLE when Kafka cannot be asked
 */
export async function prepareTopic(admin: Admin, o: TopicOptions, logger: Logger): Promise<void> {
  try {
    if (!(await admin.listTopics()).includes(o.topic)) await makeTopic(admin, o, logger)
  } catch (error) {
    throw error instanceof AppError ? error : kafkaError('Kafka does not answer', error)
  }
  await checkTopic(admin, o)
}

async function makeTopic(admin: Admin, o: TopicOptions, logger: Logger): Promise<void> {
  try {
    await admin.createTopics({
      // With it, kafkajs 2.2.4 reports a failure for a topic that was made (Kafka 4.1).
      waitForLeaders: false,
      topics: [
        {
          topic: o.topic,
          numPartitions: o.partitions,
          replicationFactor: o.replication,
          configEntries: [
            { name: 'min.insync.replicas', value: String(o.minInSync) },
            { name: 'retention.ms', value: String(o.retainMs) },
            // Brokers may have a limit of their own, which would delete what nobody has taken.
            { name: 'retention.bytes', value: '-1' },
            { name: 'cleanup.policy', value: 'delete' },
            { name: 'max.message.bytes', value: String(maxMessageBytes) },
            { name: 'unclean.leader.election.enable', value: 'false' },
          ],
        },
      ],
    })
    logger.info('made the topic', { topic: o.topic, partitions: o.partitions, replication: o.replication })
  } catch (error) {
    // Another process may have made it meanwhile: the check tells.
    if (!(await admin.listTopics()).includes(o.topic)) throw error
  }
}

/** @throws AppError CONFIG_INVALID naming what is wrong with a topic that is there, UNAVAILABLE when Kafka cannot be asked */
export async function checkTopic(admin: Admin, o: TopicOptions): Promise<void> {
  const [found] = await withRetries(() => admin.fetchTopicMetadata({ topics: [o.topic] }).then((all) => all.topics))
  const count = found?.partitions.length ?? 0
  if (count !== o.partitions) {
    throw invalid(`the topic ${o.topic} has ${count} partitions: set LOG_PARTITIONS=${count}, or another topic`)
  }
  const copies = Math.min(...found!.partitions.map((partition) => partition.replicas.length))
  if (copies < o.replication) {
    throw invalid(`the topic ${o.topic} has replication factor ${copies}; KAFKA_REPLICATION asks for ${o.replication}`)
  }
  const config = await withRetries(() =>
    settingsOf(admin, o.topic, ['min.insync.replicas', 'cleanup.policy', 'max.message.bytes']),
  )
  if (Number(config.get('min.insync.replicas')) < o.minInSync) {
    throw invalid(
      `the topic ${o.topic} has min.insync.replicas=${config.get('min.insync.replicas')}: with less than ${o.minInSync} ` +
        'an acknowledged event can be lost with one broker; raise it, or lower KAFKA_MIN_INSYNC knowing that',
    )
  }
  if (Number(config.get('max.message.bytes')) < maxMessageBytes) {
    throw invalid(
      `the topic ${o.topic} has max.message.bytes=${config.get('max.message.bytes')}: a batch that it refuses would hold up ` +
        `all behind it; raise it to ${maxMessageBytes}`,
    )
  }
  if (config.get('cleanup.policy') !== 'delete') {
    throw invalid(`the topic ${o.topic} has cleanup.policy=${config.get('cleanup.policy')}: it has to be delete`)
  }
  checkRetention(await withRetries(() => retentionOf(admin, o.topic)), o)
}

/** What nobody has taken when its time is over is lost. */
function checkRetention({ ms, bytes }: Retention, { topic, retainMs }: TopicOptions): void {
  const alter = `kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name ${topic} --add-config`
  if (ms !== undefined && ms < retainMs) {
    throw invalid(
      `the topic ${topic} has retention.ms=${ms}, less than KAFKA_RETAIN_HOURS=${retainMs / 3_600_000}: what storage has not taken by ` +
        `then is lost; run ${alter} retention.ms=${retainMs}, or lower KAFKA_RETAIN_HOURS knowing that`,
    )
  }
  if (bytes !== undefined) {
    throw invalid(
      `the topic ${topic} has retention.bytes=${bytes}: Kafka deletes what is over it, taken by storage or not; ` +
        `run ${alter} retention.bytes=-1`,
    )
  }
}

/** For how long Kafka keeps records, and how much of a partition; undefined without a limit. */
export interface Retention {
  readonly ms: number | undefined
  readonly bytes: number | undefined
}

/** @throws what kafkajs throws */
export async function retentionOf(admin: Admin, topic: string): Promise<Retention> {
  const config = await settingsOf(admin, topic, ['retention.ms', 'retention.bytes'])
  const limit = (name: string): number | undefined => {
    const value = Number(config.get(name) ?? -1)
    return value < 0 ? undefined : value
  }
  return { ms: limit('retention.ms'), bytes: limit('retention.bytes') }
}

async function settingsOf(admin: Admin, topic: string, configNames: string[]): Promise<Map<string, string>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames }],
  })
  return new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]))
}

/** A topic that was just made is not known to every broker at once. */
async function withRetries<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries >= 20) throw kafkaError('the topic cannot be described', error)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

const invalid = (message: string): AppError => new AppError('CONFIG_INVALID', message)
