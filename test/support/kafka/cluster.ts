/* What a test sees of Kafka. */
export interface KafkaOptions {
  /** Heap of each broker, MiB; default 320. */
  readonly heapMb?: number
  /** Broker settings on top of those in settings.ts. */
  readonly settings?: Readonly<Record<string, string>>
  /** Two more listeners on each broker, with TLS. Only for brokers from jars. */
  readonly secured?: Secured
}

/** What brokers show and ask for on their listeners with TLS. PEM, the key as PKCS #8. */
export interface Secured {
  /** For 127.0.0.1. */
  readonly cert: string
  readonly key: string
  /** Of clients that show a certificate. */
  readonly ca: string
  /** Whom they let in by SASL, with any mechanism. */
  readonly username: string
  readonly password: string
}

export interface KafkaCluster {
  readonly kind: 'external' | 'docker' | 'jars'
  /** host:port of each. */
  readonly brokers: readonly string[]
  /** What can be broken and mended. Empty when the cluster is an external one: that is not ours to kill. */
  readonly nodes: readonly KafkaNode[]
  /** host:port of each broker's listeners with TLS: the one asks for a name and a password, the other for a certificate. */
  readonly secured?: { readonly sasl: readonly string[]; readonly mutual: readonly string[] }
  /** Ends all nodes and removes their data; leaves an external cluster alone. */
  stop(): Promise<void>
}

/** A broker that is a controller too. All calls resolve when they have taken effect. */
export interface KafkaNode {
  readonly id: number
  /** host:port; the same in every life. */
  readonly broker: string
  /** SIGKILL. Others lead its partitions when its session ends: 30 s later, or 4 s with `soonReplaced` (settings.ts). */
  kill(): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): Promise<void>
  /** Again after kill(), on the same data; ready when it belongs to the cluster, before its replicas have caught up. */
  start(): Promise<void>
}
