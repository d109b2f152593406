import { AppError, type Clock, type Logger, messageOf } from '@splitstream/kernel'
import type { Cluster, Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import { assignInTurn } from './assigner.ts'

export interface MemberOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly partitions: number
  readonly group: string
  /** A member that is not heard of for so long is taken for dead, ms. */
  readonly sessionMs: number
  /** A former member of this process, which may not have been able to leave: the group would wait for it. */
  readonly former: string
  readonly clock: Clock
  readonly logger: Logger
}

/** How the group was formed. */
export interface Forming {
  readonly assigned: readonly number[]
  /** No other member is there to have held them. */
  readonly alone: boolean
  /** This member was in the group all the time: what it held before and holds now was nobody else's in between. */
  readonly steady: boolean
}

export interface MemberEvents {
  formed(forming: Forming): void
  deliver(payload: EachBatchPayload): Promise<void>
  /** It is of no use any more. */
  crashed(error: Error): void
}

const heartbeatMs = 1_000
/** A member that takes part is heard of more often than this, ms. */
const unheardMs = 3_000
/** A leader that moved is found so soon. kafkajs asks again after five minutes, or when a broker answers with a refusal. */
const metadataMs = 2_000

/**
 * One life of a member of a consumer group: kafkajs's consumer. States: new → joining → formed → (rebalance) → formed … → left
 * or crashed. kafkajs would restart a crashed one with what it had, dead connections included; here it is made anew.
 */
export class Member {
  readonly #o: MemberOptions
  readonly #events: MemberEvents
  readonly #consumer: Consumer
  /** Partitions whose commit the group took since it was last sent. */
  readonly #taken = new Set<number>()
  #members = 0
  #id = ''
  /** Tries to join since the group was last formed. */
  #tries = 0
  #formed = Promise.withResolvers<void>()
  #formingSince: number | undefined
  #cluster: Cluster | undefined
  #heardAt: number
  #crash: Error | undefined
  #left = false

  constructor(o: MemberOptions, events: MemberEvents) {
    this.#o = o
    this.#events = events
    this.#heardAt = o.clock.monotonic()
    this.#consumer = o.kafka.consumer({
      groupId: o.group,
      partitionAssigners: [
        assignInTurn({
          connected: (cluster) => {
            this.#cluster = cluster
          },
          joining: () => {
            this.#tries++
            this.#formingSince ??= o.clock.monotonic()
          },
          leading: (members) => {
            this.#members = members
          },
        }),
      ],
      sessionTimeout: o.sessionMs,
      rebalanceTimeout: 2 * o.sessionMs,
      heartbeatInterval: Math.min(heartbeatMs, o.sessionMs / 3),
      metadataMaxAge: metadataMs,
      maxWaitTimeInMs: 250,
      minBytes: 1,
      maxBytesPerPartition: 8 << 20,
      maxBytes: 32 << 20,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    })
  }

  get id(): string {
    return this.#id
  }

  /** It has not been heard of in the group for so long that others may have its lanes. */
  get isLost(): boolean {
    const silentMs = this.#o.clock.monotonic() - this.#heardAt
    // Forming a group waits for its slowest member.
    return silentMs > this.#o.sessionMs * (this.#tries > 0 || this.#id === '' ? 4 : 1)
  }

  /** Since when it takes no part: the group is being formed, or does not hear of it. Monotonic, ms. */
  get outSince(): number | undefined {
    const silent = this.#o.clock.monotonic() - this.#heardAt > unheardMs
    return this.#formingSince ?? (silent ? this.#heardAt : undefined)
  }

  /** While the group is being formed: until it is. */
  get forming(): Promise<void> | undefined {
    return this.#tries > 0 ? this.#formed.promise : undefined
  }

  /** @throws what keeps it from the group; then it has to be left all the same */
  async join(): Promise<void> {
    const { topic, partitions } = this.#o
    const consumer = this.#consumer
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (!this.#left) this.#onFormed(payload)
    })
    consumer.on(consumer.events.HEARTBEAT, () => {
      this.#heardAt = this.#o.clock.monotonic()
    })
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics) for (const { partition } of partitions) this.#taken.add(partition)
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#crash = payload.error
      if (!this.#left) this.#events.crashed(payload.error)
    })
    await consumer.connect()
    await this.#dismissFormer()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => this.#events.deliver(payload),
    })
    // One that cannot join crashes, and `run` resolves all the same.
    if (this.#crash) throw this.#crash
  }

  /** @throws what kafkajs throws; AppError UNAVAILABLE when the member is not up */
  async commit(partition: number, record: number): Promise<void> {
    this.#taken.delete(partition)
    await this.#consumer.commitOffsets([{ topic: this.#o.topic, partition, offset: String(record) }])
    // A consumer that is about to stop resolves without having sent anything.
    if (!this.#taken.has(partition)) throw new AppError('UNAVAILABLE', 'this member of the group is not up')
  }

  seek(partition: number, record: number): void {
    this.#steer(() => this.#consumer.seek({ topic: this.#o.topic, partition, offset: String(record) }))
  }

  pause(partition: number): void {
    this.#steer(() => this.#consumer.pause([{ topic: this.#o.topic, partitions: [partition] }]))
  }

  resume(partition: number): void {
    this.#steer(() => this.#consumer.resume([{ topic: this.#o.topic, partitions: [partition] }]))
  }

  /** Takes at most `ms`: what it cannot say by then, a later member says for it, or its session ends. */
  async leave(ms: number): Promise<void> {
    this.#left = true
    const late = new AbortController()
    const leaving = this.#consumer.disconnect().catch(() => undefined)
    await Promise.race([leaving, this.#o.clock.sleep(ms, late.signal).catch(() => undefined)])
    late.abort()
  }

  async #dismissFormer(): Promise<void> {
    const { former, group, logger } = this.#o
    if (former === '') return
    try {
      const coordinator = (await this.#cluster?.findGroupCoordinator({ groupId: group })) as Coordinator | undefined
      await coordinator?.leaveGroup({ groupId: group, memberId: former })
    } catch (error) {
      // Mostly: it is not in the group any more.
      logger.debug('a former member did not leave the group', { error: messageOf(error) })
    }
  }

  #onFormed({ memberId, isLeader, memberAssignment }: Joined): void {
    // Another id: it was taken for dead. Two tries: it may have been left out of a generation.
    const steady = memberId === this.#id && this.#tries <= 1
    this.#id = memberId
    this.#tries = 0
    this.#formingSince = undefined
    this.#heardAt = this.#o.clock.monotonic()
    this.#events.formed({
      assigned: memberAssignment[this.#o.topic] ?? [],
      alone: isLeader && this.#members === 1,
      steady,
    })
    this.#formed.resolve()
    this.#formed = Promise.withResolvers()
  }

  /** One that is not up is told what to do when the group is formed. */
  #steer(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#o.logger.debug('the consumer is not up', { error: messageOf(error) })
    }
  }
}

/** What kafkajs's types leave out of a broker. */
interface Coordinator {
  leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown>
}

interface Joined {
  readonly memberId: string
  readonly isLeader: boolean
  readonly memberAssignment: Readonly<Record<string, number[]>>
}
