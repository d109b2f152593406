import { AppError, type Clock, type Consumption, type Lane, type Logger, messageOf } from '@splitstream/kernel'
import type { Admin, Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import { assignInTurn } from './assigner.ts'
import { kafkaError, refusalOf } from './client.ts'
import { Feed } from './feed.ts'
import { openLane } from './lane.ts'
import { recordAfter } from './places.ts'
import { fromMessage } from './record.ts'
import { Watchdog } from './watchdog.ts'

export interface ConsumerOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly clock: Clock
  readonly logger: Logger
  /** A member that is not heard of for so long is taken for dead, ms. */
  readonly sessionMs?: number
  /** A lane that waits for a record that is there for so long has a consumer that stands still: it is made anew. */
  readonly stuckMs?: number
}

interface Running {
  readonly feed: Feed
  readonly stop: AbortController
  readonly ended: Promise<void>
  /** What the handler committed last. */
  committed: number | undefined
}

const heartbeatMs = 1_000
const watchMs = 5_000
const maxPauseMs = 5_000
/** How long a lane that another member may have held waits: the other hears of it, and its handler ends. */
const handoverMs = 500

/** The group knows this member no more, or only as it was before: its lanes may be another's. */
const notOurs = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'])

/**
 * A member of a consumer group, with a lane for each partition that it is given. States of the member:
 *
 *   joining → assigned → (rebalance) → assigned … → stopped;  crashed or stuck → made anew → joining
 *
 * The lane says from where it reads. A member that was taken for dead has its commit refused, which ends its lane. kafkajs
 * is used by `eachBatch`, which only hands over: while a lane is busy its partition is paused, so that the member's
 * heartbeats go on however long that takes (tulios/kafkajs#1720), and so do the other partitions of the same broker.
 */
export class KafkaGroup implements Consumption {
  readonly #o: ConsumerOptions
  readonly #handler: (lane: Lane) => Promise<void>
  readonly #lanes = new Map<number, Running>()
  readonly #watchdog: Watchdog
  readonly #stopping = new AbortController()
  /** Partitions whose commit the group took since it was last sent. */
  readonly #taken = new Set<number>()
  #assigned: readonly number[] = []
  /** Members of the group, when this one leads it. */
  #members = 0
  #consumer: Consumer | undefined
  #watch: NodeJS.Timeout | undefined
  #making: Promise<void> | undefined

  constructor(o: ConsumerOptions, handler: (lane: Lane) => Promise<void>) {
    this.#o = o
    this.#handler = handler
    this.#watchdog = new Watchdog(o.clock, o.stuckMs ?? 20_000)
  }

  /** Returns at once; joining goes on, and is tried again for as long as it takes. */
  start(): void {
    this.#makeAnew('starting')
    this.#watch = setInterval(() => void this.#lookForStuck(), Math.min(watchMs, (this.#o.stuckMs ?? watchMs) / 2))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#watch)
    for (const partition of [...this.#lanes.keys()]) this.#end(partition)
    await Promise.all([...this.#lanes.values()].map((lane) => lane.ended))
    await this.#making
    await this.#consumer?.disconnect().catch(() => undefined)
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
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
      // Leaving the group gives them to the others.
      for (const partition of this.#lanes.keys()) this.#end(partition)
      await old?.disconnect().catch(() => undefined)
      try {
        await this.#join()
        return
      } catch (error) {
        logger.warn('the consumer group cannot be joined yet', { why, error: messageOf(error) })
        await clock.sleep(pause, this.#stopping.signal).catch(() => undefined)
      }
    }
  }

  async #join(): Promise<void> {
    const { kafka, topic, group, partitions, logger, sessionMs = 6_000 } = this.#o
    const consumer = kafka.consumer({
      groupId: group,
      partitionAssigners: [
        assignInTurn((members) => {
          this.#members = members
        }),
      ],
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
    let crash: Error | undefined
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (consumer !== this.#consumer || this.#stopped) return
      this.#assign(payload.memberAssignment[topic] ?? [], payload.isLeader && this.#members === 1)
    })
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      if (consumer !== this.#consumer) return
      for (const { partitions } of payload.topics) for (const { partition } of partitions) this.#taken.add(partition)
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      crash = payload.error
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
    // A member that cannot join crashes, and `run` resolves all the same.
    if (crash) throw crash
  }

  /** The group was formed: lanes of partitions that are gone end, new ones begin, kept ones go on where they were. */
  #assign(assigned: readonly number[], alone: boolean): void {
    const { logger, group } = this.#o
    logger.info('partitions were assigned', { group, partitions: assigned.join(',') })
    this.#assigned = assigned
    for (const partition of [...this.#lanes.keys()]) if (!assigned.includes(partition)) this.#end(partition)
    for (const partition of assigned) {
      const running = this.#lanes.get(partition)
      if (running && !running.stop.signal.aborted) running.feed.rejoined()
      else this.#begin(partition, alone ? 0 : handoverMs)
    }
  }

  /** A consumer that is not up is told what to do when it joins. */
  #steer(act: (consumer: Consumer) => void): void {
    try {
      if (this.#consumer) act(this.#consumer)
    } catch (error) {
      this.#o.logger.debug('the consumer is not up', { error: messageOf(error) })
    }
  }

  /** @param inDoubt the group is asked first whether the lane is ours */
  #begin(partition: number, pauseMs: number, inDoubt = false): void {
    const { topic, group, admin, clock } = this.#o
    const stop = new AbortController()
    const here = { topic, partition }
    const own = [{ topic, partitions: [partition] }]
    const feed = new Feed({
      seek: (record) => this.#steer((consumer) => consumer.seek({ ...here, offset: String(record) })),
      pause: () => this.#steer((consumer) => consumer.pause(own)),
      resume: () => this.#steer((consumer) => consumer.resume(own)),
    })
    const commit = (next: number): Promise<void> => this.#commit(partition, next)
    const lane = openLane({ ...here, group, admin, feed, signal: stop.signal, commit })
    const before = this.#lanes.get(partition)?.ended ?? Promise.resolve()
    const ended = before
      .then(() => clock.sleep(pauseMs, stop.signal))
      .catch(() => undefined)
      .then(() => this.#run(lane, running, inDoubt))
    const running: Running = { feed, stop, ended, committed: undefined }
    this.#lanes.set(partition, running)
    feed.rejoined()
  }

  #end(partition: number): void {
    const running = this.#lanes.get(partition)
    if (!running || running.stop.signal.aborted) return
    running.stop.abort()
    void running.ended.then(() => {
      if (this.#lanes.get(partition) === running) this.#lanes.delete(partition)
    })
  }

  async #run(lane: Lane, running: Running, inDoubt: boolean): Promise<void> {
    const { clock, logger } = this.#o
    for (let [pause, ask] = [100, inDoubt]; !lane.signal.aborted; ask = true) {
      if (!ask || (await this.#isOurs(lane, running))) {
        const from = clock.monotonic()
        try {
          await this.#handler(lane)
        } catch (error) {
          logger.warn('a log consumer failed and is run again', { partition: lane.partition, error: messageOf(error) })
        }
        pause = clock.monotonic() - from > 60_000 ? 100 : Math.min(pause * 2, maxPauseMs)
      }
      await clock.sleep(pause, lane.signal).catch(() => undefined)
    }
  }

  /**
   * A member that was taken for dead must not take the lane back from its new owner: the group is asked, by a commit. It
   * repeats the last one, and never says more than the handler did.
   */
  async #isOurs(lane: Lane, running: Running): Promise<boolean> {
    try {
      const committed = running.committed ?? (await lane.committed())
      if (lane.signal.aborted) return false
      await lane.commit(committed)
      return true
    } catch {
      return false
    }
  }

  async #commit(partition: number, next: number): Promise<void> {
    const { topic } = this.#o
    // The group takes a commit of any partition from any member: that of an old owner would undo the new one's.
    if (!this.#assigned.includes(partition)) throw new AppError('UNAVAILABLE', 'the partition is not ours any more')
    this.#taken.delete(partition)
    try {
      await this.#consumer?.commitOffsets([{ topic, partition, offset: String(recordAfter(next)) }])
    } catch (error) {
      const refusal = refusalOf(error)
      // The group is being formed anew and this member belongs to it; the next commit says it again.
      if (refusal === 'REBALANCE_IN_PROGRESS') return
      if (refusal !== undefined && notOurs.has(refusal)) this.#refused(partition)
      throw kafkaError('the group does not take the offset', error)
    }
    // A consumer that is about to stop resolves without having sent anything.
    if (!this.#taken.has(partition)) throw new AppError('UNAVAILABLE', 'this member of the group is not up')
    const running = this.#lanes.get(partition)
    if (running) running.committed = next
  }

  /** The lane ends. If it turns out that it is ours after all (the group was only formed anew), there is another one. */
  #refused(partition: number): void {
    const running = this.#lanes.get(partition)
    if (!running || running.stop.signal.aborted) return
    this.#o.logger.warn('the group refused the commit of a lane, which ends', { partition })
    this.#end(partition)
    void running.ended.then(() => {
      const gone = this.#stopped || !this.#assigned.includes(partition) || this.#lanes.has(partition)
      if (!gone) this.#begin(partition, heartbeatMs, true)
    })
  }

  /** What was fetched of one partition goes to its lane's feed. */
  async #deliver({ batch, resolveOffset, pause }: EachBatchPayload): Promise<void> {
    const { partition } = batch
    const running = this.#lanes.get(partition)
    // Without a lane it would be fetched over and over. The next lane resumes it.
    if (!running || running.stop.signal.aborted) return void pause()
    const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string }
    const delivery = {
      from: Number(fetchedOffset),
      last: Number(batch.lastOffset()),
      records: batch.messages.map((message) => fromMessage(partition, message)),
      end: Number(batch.highWatermark),
    }
    if (running.feed.leavesOut(delivery)) {
      // Either kafkajs stands elsewhere, or the topic does not hold so early a record any more.
      const offsets = await this.#o.admin.fetchTopicOffsets(this.#o.topic).catch(() => [])
      const own = offsets.find((one) => one.partition === partition)
      if (own) running.feed.learn(Number(own.low), Number(own.high))
    }
    resolveOffset(batch.lastOffset())
    running.feed.offer(delivery)
  }

  async #lookForStuck(): Promise<void> {
    const { admin, topic, logger } = this.#o
    const waiting = [...this.#lanes].flatMap(([partition, { feed }]) =>
      feed.waitsFor === undefined ? [] : [{ partition, next: feed.waitsFor }],
    )
    if (this.#making) return
    const offsets = waiting.length > 0 ? await admin.fetchTopicOffsets(topic).catch(() => []) : []
    const partition = this.#watchdog.look(waiting, new Map(offsets.map((one) => [one.partition, Number(one.high)])))
    if (partition === undefined || this.#stopped) return
    logger.warn('the consumer stands still and is made anew', { partition })
    this.#watchdog.reset()
    this.#makeAnew('stuck')
  }
}
