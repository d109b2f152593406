import { messageOf, silentLogger } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { kafkaAccess } from '../../kafka-access.ts'
import { brokersOf, type Topology } from '../../topology.ts'
import { inspectTopic } from '../../transports/kafka/inspect.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { ms } from './units.ts'

/** Brokers and the topic, as a start checks them; nothing is made. */
export function kafkaChecks(config: Config, topology: Topology): Check[] {
  const brokers = brokersOf(topology.events)
  if (brokers.length === 0 || topology.log.size === 0) return []
  return [{ name: 'Kafka', run: () => checkKafka(brokers, config) }]
}

async function checkKafka(brokers: readonly string[], config: Config): Promise<Finding> {
  const topic = {
    topic: config.KAFKA_TOPIC,
    partitions: config.LOG_PARTITIONS,
    replication: config.KAFKA_REPLICATION,
    minInSync: config.KAFKA_MIN_INSYNC,
    retainMs: config.KAFKA_RETAIN_HOURS * 3_600_000,
  }
  const access = await kafkaAccess(config).catch((error: unknown) => messageOf(error))
  if (typeof access === 'string')
    return fail(access, 'a start is refused: the file has to be there, in PEM, and readable')
  const seen = await inspectTopic(brokers, access, topic, silentLogger).catch((error: unknown) => messageOf(error))
  if (access.trouble !== undefined) return fail('the brokers do not let this process in', access.trouble)
  if (typeof seen === 'string')
    return fail(seen, 'no broker of LINK_EVENTS answers: are they up, and is the list right?')
  const found = `${seen.brokers} brokers, round trip ${ms(seen.tookMs)}, topic ${config.KAFKA_TOPIC}${seen.exists ? '' : ' is not there yet'}`
  if (seen.wrong !== undefined) return fail(found, seen.wrong)
  if (!seen.exists && seen.brokers < config.KAFKA_REPLICATION) {
    return fail(
      found,
      `a start makes it with KAFKA_REPLICATION=${config.KAFKA_REPLICATION} copies: start more brokers, or lower it`,
    )
  }
  if (config.KAFKA_MIN_INSYNC < 2)
    return warn(found, 'with KAFKA_MIN_INSYNC=1 one lost broker can lose acknowledged events')
  if (seen.brokers < config.KAFKA_REPLICATION) return warn(found, 'a broker is away: events go on, with fewer copies')
  return ok(found)
}
