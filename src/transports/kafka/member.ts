import { AppError, type Logger, messageOf } from '@splitstream/kernel'
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import { assignInTurn } from './assigner.ts'

export interface MemberOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly partitions: number
  readonly group: string
  /** A member that is not heard of for so long is taken for dead, ms. */
  readonly sessionMs: number
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
  #crash: Error | undefined
  #left = false

  constructor(o: MemberOptions, events: MemberEvents) {
    this.#o = o
    this.#events = events
    this.#consumer = o.kafka.consumer({
      groupId: o.group,
      partitionAssigners: [
        assignInTurn({
          joining: () => void this.#tries++,
          leading: (members) => {
            this.#members = members
          },
        }),
      ],
      sessionTimeout: o.sessionMs,
      rebalanceTimeout: 2 * o.sessionMs,
      heartbeatInterval: Math.min(heartbeatMs, o.sessionMs / 3),
      maxWaitTimeInMs: 250,
      minBytes: 1,
      maxBytesPerPartition: 8 << 20,
      maxBytes: 32 << 20,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    })
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
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics) for (const { partition } of partitions) this.#taken.add(partition)
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#crash = payload.error
      if (!this.#left) this.#events.crashed(payload.error)
    })
    await consumer.connect()
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

  async leave(): Promise<void> {
    this.#left = true
    await this.#consumer.disconnect().catch(() => undefined)
  }

  #onFormed({ memberId, isLeader, memberAssignment }: Joined): void {
    // Another id: it was taken for dead. Two tries: it may have been left out of a generation.
    const steady = memberId === this.#id && this.#tries <= 1
    this.#id = memberId
    this.#tries = 0
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

interface Joined {
  readonly memberId: string
  readonly isLeader: boolean
  readonly memberAssignment: Readonly<Record<string, number[]>>
}
