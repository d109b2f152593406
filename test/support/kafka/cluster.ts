/* What a test sees of Kafka. */
export interface KafkaOptions {
  /** Heap of each broker, MiB; default 320. */
  readonly heapMb?: number
  /** Broker settings on top of those in settings.ts. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface KafkaCluster {
  readonly kind: 'external' | 'docker' | 'jars'
  /** host:port of each. */
  readonly brokers: readonly string[]
  /** What can be broken and mended. Empty when the cluster is an external one: that is not ours to kill. */
  readonly nodes: readonly KafkaNode[]
  /** Ends all nodes and removes their data; leaves an external cluster alone. */
  stop(): Promise<void>
}

/** A broker that is a controller too. All calls resolve when they have taken effect. */
export interface KafkaNode {
  readonly id: number
  /** host:port; the same in every life. */
  readonly broker: string
  /** SIGKILL. Others lead its partitions when its session ends, 4 s later. */
  kill(): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): Promise<void>
  /** Again after kill(), on the same data; ready when it belongs to the cluster, before its replicas have caught up. */
  start(): Promise<void>
}
