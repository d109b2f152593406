import { AppError, type Clock, type Consumption, type Lane, type Logger, messageOf } from '@splitstream/kernel'
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'
import { Feed } from './feed.ts'
import { firstPartition, placeOf, recordAfter, recordAt } from './places.ts'
import { fromMessage } from './record.ts'

export interface ConsumerOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly clock: Clock
  readonly logger: Logger
}

interface Running {
  readonly feed: Feed
  readonly stop: AbortController
  readonly ended: Promise<void>
}

const sessionMs = 6_000
const heartbeatMs = 1_000
/** A lane that waits while there are records for so long has a consumer that stands still: it is made anew. */
const stuckMs = 20_000
const watchMs = 5_000
const maxPauseMs = 5_000

/**
 * A member of a consumer group, with a lane for each partition that it is given. States of the member:
 *
 *   joining → assigned → (rebalance) → assigned … → stopped;  crashed or stuck → made anew → joining
 *
 * The lane says from where it reads (its own record of what is done decides, not Kafka's), so the group's committed offsets
 * are for lag monitors and for the fence: a member that was taken for dead has its commit refused, which ends its lane. kafkajs is
 * used by `eachBatch` with heartbeats by hand: a batch waits for its lane however long that takes (tulios/kafkajs#1720).
 */
export class KafkaGroup implements Consumption {
  readonly #o: ConsumerOptions
  readonly #handler: (lane: Lane) => Promise<void>
  readonly #lanes = new Map<number, Running>()
  readonly #waitingSince = new Map<number, number>()
  #consumer: Consumer | undefined
  #watch: NodeJS.Timeout | undefined
  #stopped = false
  #making: Promise<void> | undefined

  constructor(o: ConsumerOptions, handler: (lane: Lane) => Promise<void>) {
    this.#o = o
    this.#handler = handler
  }

  /** Returns at once; joining goes on, and is tried again for as long as it takes. */
  start(): void {
    this.#makeAnew('starting')
    this.#watch = setInterval(() => void this.#lookForStuck(), watchMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#watch)
    for (const partition of [...this.#lanes.keys()]) this.#end(partition)
    await Promise.all([...this.#lanes.values()].map((lane) => lane.ended))
    await this.#making
    await this.#consumer?.disconnect().catch(() => undefined)
  }

  #makeAnew(why: string): void {
    this.#making ??= this.#make(why).finally(() => {
      this.#making = undefined
    })
  }

  async #make(why: string): Promise<void> {
    const { clock, logger } = this.#o
    for (let pause = 250; !this.#stopped; pause = Math.min(pause * 2, maxPauseMs)) {
      const old = this.#consumer
      this.#consumer = undefined
      for (const { feed } of this.#lanes.values()) feed.drop()
      await old?.disconnect().catch(() => undefined)
      try {
        await this.#join()
        return
      } catch (error) {
        logger.warn('the consumer group cannot be joined yet', { why, error: messageOf(error) })
        await clock.sleep(pause)
      }
    }
  }

  async #join(): Promise<void> {
    const { kafka, topic, group, partitions, logger } = this.#o
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionMs,
      rebalanceTimeout: 2 * sessionMs,
      heartbeatInterval: heartbeatMs,
      maxWaitTimeInMs: 250,
      minBytes: 1,
      maxBytesPerPartition: 8 << 20,
      maxBytes: 32 << 20,
      allowAutoTopicCreation: false,
      // A crash is ours to mend: kafkajs restarts with what it had, dead connections included.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (consumer === this.#consumer) this.#assign(payload.memberAssignment[topic] ?? [])
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (consumer !== this.#consumer || this.#stopped) return
      logger.warn('the consumer crashed', { error: payload.error.message })
      this.#makeAnew('crashed')
    })
    this.#consumer = consumer
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => this.#deliver(payload),
    })
  }

  /** The group was formed: lanes of partitions that are gone end, new ones begin, kept ones go on where they were. */
  #assign(assigned: readonly number[]): void {
    const { logger, group } = this.#o
    logger.info('partitions were assigned', { group, partitions: assigned.join(',') })
    for (const partition of [...this.#lanes.keys()]) if (!assigned.includes(partition)) this.#end(partition)
    for (const partition of assigned) {
      const running = this.#lanes.get(partition)
      if (running && !running.stop.signal.aborted) running.feed.resume()
      else this.#begin(partition, running?.ended ?? Promise.resolve())
    }
  }

  #begin(partition: number, before: Promise<void>): void {
    const stop = new AbortController()
    const feed = new Feed(partition, (offset) => {
      this.#consumer?.seek({ topic: this.#o.topic, partition, offset: recordAt(offset) })
    })
    const ended = before.then(() => this.#run(this.#laneOf(partition, feed, stop.signal), feed))
    this.#lanes.set(partition, { feed, stop, ended })
  }

  #end(partition: number): void {
    const running = this.#lanes.get(partition)
    if (!running || running.stop.signal.aborted) return
    running.stop.abort()
    running.feed.drop()
    void running.ended.then(() => {
      if (this.#lanes.get(partition) === running) this.#lanes.delete(partition)
    })
  }

  async #run(lane: Lane, feed: Feed): Promise<void> {
    const { clock, logger } = this.#o
    for (let pause = 100; !lane.signal.aborted; pause = Math.min(pause * 2, maxPauseMs)) {
      const from = clock.monotonic()
      try {
        await this.#handler(lane)
      } catch (error) {
        logger.warn('a log consumer failed and is run again', { partition: lane.partition, error: messageOf(error) })
      }
      if (clock.monotonic() - from > 60_000) pause = 100
      do await clock.sleep(pause, lane.signal).catch(() => undefined)
      while (!lane.signal.aborted && !(await this.#isOurs(lane, feed)))
    }
  }

  /** A member that was taken for dead must not take the lane back from its new owner: the group is asked, by a commit. */
  async #isOurs(lane: Lane, feed: Feed): Promise<boolean> {
    if (this.#making) return false
    return lane.commit(Math.max(0, feed.wanted)).then(
      () => true,
      () => false,
    )
  }

  #laneOf(partition: number, feed: Feed, signal: AbortSignal): Lane {
    const { admin, topic, group } = this.#o
    return {
      partition: firstPartition + partition,
      signal,
      bounds: async () => {
        const offsets = await admin.fetchTopicOffsets(topic).catch((error: unknown) => {
          throw kafkaError('the bounds of the topic are not known', error)
        })
        const own = offsets.find((one) => one.partition === partition)
        if (!own) throw new AppError('UNAVAILABLE', `the topic has no partition ${partition}`)
        return { start: placeOf(own.low), end: placeOf(own.high) }
      },
      committed: async () => {
        const [own] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
        return Math.max(0, placeOf(own?.partitions.find((one) => one.partition === partition)?.offset ?? '0'))
      },
      read: (from, limits) => feed.read(from, limits, signal),
      commit: async (next) => {
        try {
          await this.#consumer?.commitOffsets([{ topic, partition, offset: recordAfter(next) }])
        } catch (error) {
          throw kafkaError('the group does not take the offset', error)
        }
      },
    }
  }

  /** One batch of one partition. Returning takes it out of the consumer; heartbeats go on while the lane is busy. */
  async #deliver({ batch, heartbeat, resolveOffset, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const running = this.#lanes.get(batch.partition)
    if (!running || running.stop.signal.aborted) return
    const taken = running.feed.offer(batch.messages.map((message) => fromMessage(batch.partition, message)))
    let done = false
    void taken.then(() => {
      done = true
    })
    while (!done && isRunning() && !isStale()) {
      const late = new AbortController()
      await Promise.race([taken, this.#o.clock.sleep(heartbeatMs / 2, late.signal).catch(() => undefined)])
      late.abort()
      await heartbeat()
    }
    if (done && isRunning() && !isStale()) resolveOffset(batch.lastOffset())
    else running.feed.drop()
  }

  /** kafkajs can stop fetching a partition without a word (tulios/kafkajs#1072, #659): then the records that are there tell. */
  async #lookForStuck(): Promise<void> {
    const { admin, topic, clock, logger } = this.#o
    const waiting = [...this.#lanes.values()].filter(({ feed }) => feed.waiting)
    for (const partition of this.#waitingSince.keys()) {
      if (!waiting.some(({ feed }) => feed.partition === partition)) this.#waitingSince.delete(partition)
    }
    if (waiting.length === 0 || this.#making) return
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => [])
    const now = clock.monotonic()
    for (const { feed } of waiting) {
      const end = placeOf(offsets.find((one) => one.partition === feed.partition)?.high ?? '0')
      if (end <= feed.wanted) this.#waitingSince.delete(feed.partition)
      else if (!this.#waitingSince.has(feed.partition)) this.#waitingSince.set(feed.partition, now)
      else if (now - this.#waitingSince.get(feed.partition)! > stuckMs) {
        this.#waitingSince.clear()
        logger.warn('the consumer stands still and is made anew', { partition: feed.partition })
        return this.#makeAnew('stuck')
      }
    }
  }
}
