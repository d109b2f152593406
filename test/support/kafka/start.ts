import type { KafkaCluster, KafkaOptions } from './cluster.ts'
import { startDocker } from './docker.ts'
import { startLocal } from './local.ts'
import { findSource } from './source.ts'

export type { KafkaCluster, KafkaNode, KafkaOptions } from './cluster.ts'
export { kafkaUnavailable } from './source.ts'

/**
 * Real Kafka for a test: the cluster that KAFKA_BROKERS names, else three nodes of our own, in Docker when an engine
 * answers, else from Kafka's jars with the local Java. Nodes of our own end with this process, however it ends.
 * @throws Error when there is none to be had or it does not get ready.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const source = await findSource()
  switch (source.kind) {
    case 'external':
      return { kind: 'external', brokers: source.brokers, nodes: [], stop: async () => {} }
    case 'docker':
      return startDocker(options)
    case 'jars':
      return startLocal(source.java, options)
    case 'none':
      throw new Error(source.reason)
  }
}
