/** The brokers of a cluster, and so the replicas of each partition. */
export const NODES = 3

/**
 * Of every node, however it runs: as durable as production (three replicas, two of them in sync for an acknowledgement),
 * else as small and as fast to start as it can be.
 */
export const clusterSettings: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'default.replication.factor': String(NODES),
  'min.insync.replicas': '2',
  'num.partitions': '4',
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': '4',
  'offsets.topic.replication.factor': String(NODES),
  'transaction.state.log.num.partitions': '4',
  'transaction.state.log.replication.factor': String(NODES),
  'transaction.state.log.min.isr': '2',
  'group.initial.rebalance.delay.ms': '0',
  // A broker that says nothing for so long loses its partitions (default 9 s): a machine that stands still for some seconds
  // is not to fence brokers that live.
  'broker.session.timeout.ms': '30000',
  'broker.heartbeat.interval.ms': '500',
  'num.network.threads': '2',
  'num.io.threads': '4',
  'background.threads': '2',
  'log.cleaner.dedupe.buffer.size': String(4 * 2 ** 20), // default: 128 MiB of the heap
}

/** Of a cluster whose brokers are killed or frozen: others lead their partitions soon. */
export const soonReplaced: Readonly<Record<string, string>> = { 'broker.session.timeout.ms': '4000' }

/** A java.util.Properties file. */
export function properties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
}
