import {
  type Absence,
  AppError,
  type Clock,
  type Consumption,
  type Lane,
  type Logger,
  messageOf,
  untilAborted,
} from '@splitstream/kernel'
import type { Batch, EachBatchPayload, Kafka } from 'kafkajs'
import { runLane } from '../run-lane.ts'
import type { Asker } from './asker.ts'
import { kafkaError, refusalOf } from './client.ts'
import { type EventCodec, readMessage } from './cloud-event-record.ts'
import { Feed } from './feed.ts'
import { openLane } from './lane.ts'
import { type Forming, Member } from './member.ts'
import { recordAfter } from './places.ts'
import { Watchdog } from './watchdog.ts'

export interface ConsumerOptions {
  readonly kafka: Kafka
  readonly asker: Asker
  readonly topic: string
  readonly partitions: number
  readonly group: string
  /** Without it records of single events are not read. */
  readonly codec?: EventCodec | undefined
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

const watchMs = 1_000
const lookEveryMs = 5_000
/** How long a member may take to leave, when another one waits for its place, and at the stop, also to be made before. */
const leaveMs = { soon: 1_000, stopping: 5_000 }
const maxPauseMs = 5_000
/** How long a lane that another member may have held waits: the other hears of it, and its handler ends. */
const handoverMs = 500
/** How long a lane whose commit was refused waits before it asks whether it is ours all the same. */
const doubtMs = 1_000

/** The group knows this member no more, or only as it was before: its lanes may be another's. */
const notOurs = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'])

/**
 * A consumer group as one process takes part in it, with a lane for each partition that it is given. States:
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
  #assigned: readonly number[] = []
  #member: Member | undefined
  #watches: NodeJS.Timeout[] = []
  /** The last member of ours that the group knew. */
  #former = ''
  #making: Promise<void> | undefined
  #absence: Absence | undefined

  constructor(o: ConsumerOptions, handler: (lane: Lane) => Promise<void>) {
    this.#o = o
    this.#handler = handler
    this.#watchdog = new Watchdog(o.clock, o.stuckMs ?? 20_000)
  }

  /** Returns at once; joining goes on, and is tried again for as long as it takes. */
  start(): void {
    this.#makeAnew('starting')
    const lookMs = Math.min(lookEveryMs, (this.#o.stuckMs ?? lookEveryMs) / 2)
    this.#watches = [
      setInterval(() => this.#lookForLost(), watchMs),
      setInterval(() => void this.#lookForStuck(), lookMs),
    ]
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const watch of this.#watches) clearInterval(watch)
    this.#endAll()
    await Promise.all([...this.#lanes.values()].map((lane) => lane.ended))
    // A coordinator that stands still keeps whoever joins for minutes.
    const late = new AbortController()
    await Promise.race([this.#making, this.#o.clock.sleep(leaveMs.stopping, late.signal).catch(() => undefined)])
    late.abort()
    await this.#member?.leave(leaveMs.stopping)
  }

  get absence(): Absence | undefined {
    if (this.#absence) return this.#absence
    const since = this.#member?.outSince
    return since === undefined ? undefined : { since, why: 'the group is being formed, or does not hear of it' }
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
    const { clock, logger, sessionMs = 6_000 } = this.#o
    for (let pause = 250; !this.#stopped; pause = Math.min(pause * 2, maxPauseMs)) {
      const old = this.#member
      this.#isOut(why)
      this.#member = undefined
      this.#assigned = []
      // What stood still stood still with the old one.
      this.#watchdog.reset()
      // Leaving the group gives them to the others.
      this.#endAll()
      this.#former = old?.id || this.#former
      // What the member could not reach may be what the questions go to.
      if (old) this.#o.asker.renew()
      await old?.leave(leaveMs.soon)
      try {
        const member = new Member(
          { ...this.#o, sessionMs, former: this.#former },
          {
            formed: (forming) => this.#assign(forming),
            deliver: (payload) => this.#deliver(payload),
            crashed: (error) => {
              if (this.#stopped) return
              logger.warn('the consumer crashed', { error: error.message })
              this.#makeAnew('crashed')
            },
          },
        )
        this.#member = member
        return await member.join()
      } catch (error) {
        this.#isOut(messageOf(error))
        logger.warn('the consumer group cannot be joined yet', { why, error: messageOf(error) })
        await clock.sleep(pause, this.#stopping.signal).catch(() => undefined)
      }
    }
  }

  /** For as long as it lasts the first instant counts, and the last reason. */
  #isOut(why: string): void {
    this.#absence = { since: this.absence?.since ?? this.#o.clock.monotonic(), why }
  }

  /** The group was formed: lanes of partitions that are gone end, new ones begin, kept ones go on where they were. */
  #assign({ assigned, alone, steady }: Forming): void {
    if (this.#stopped) return
    const { logger, group } = this.#o
    logger.info('partitions were assigned', { group, partitions: assigned.join(',') })
    this.#assigned = assigned
    if (alone && assigned.length === 0) this.#isOut('it is the only member, and was given no partition')
    else this.#absence = undefined
    for (const partition of this.#lanes.keys()) if (!steady || !assigned.includes(partition)) this.#end(partition)
    for (const partition of assigned) {
      const running = this.#lanes.get(partition)
      if (running && !running.stop.signal.aborted) running.feed.rejoined()
      else this.#begin(partition, alone ? 0 : handoverMs)
    }
  }

  /** @param inDoubt the group is asked first whether the lane is ours */
  #begin(partition: number, pauseMs: number, inDoubt = false): void {
    const { topic, group, asker, clock } = this.#o
    const stop = new AbortController()
    const feed = new Feed({
      seek: (record) => this.#member?.seek(partition, record),
      pause: () => this.#member?.pause(partition),
      resume: () => this.#member?.resume(partition),
    })
    const commit = (next: number): Promise<void> => this.#commit(partition, next, stop.signal)
    const lane = openLane({ partition, topic, group, asker, feed, signal: stop.signal, commit })
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

  #endAll(): void {
    for (const partition of this.#lanes.keys()) this.#end(partition)
  }

  #run(lane: Lane, running: Running, inDoubt: boolean): Promise<void> {
    let sure = !inDoubt
    return runLane(lane, this.#handler, this.#o, async () => {
      if (!sure) return await this.#isOurs(lane, running)
      sure = false
      return true
    })
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

  async #commit(partition: number, next: number, signal: AbortSignal, again = false): Promise<void> {
    // The group takes a commit of any partition from any member: that of an old owner would undo the new one's.
    if ((signal.aborted && !this.#stopped) || !this.#assigned.includes(partition)) throw gone()
    const member = this.#member
    if (!member) throw new AppError('UNAVAILABLE', 'this member of the group is made anew')
    try {
      await member.commit(partition, recordAfter(next))
    } catch (error) {
      const refusal = refusalOf(error)
      // This member belongs to the group that is being formed; the next commit says it again.
      if (refusal === 'REBALANCE_IN_PROGRESS') return
      if (refusal === 'ILLEGAL_GENERATION' && !again) {
        // The group is formed anew, and this member is about to learn whether the lane goes on.
        if (member.forming) await Promise.race([member.forming, untilAborted(signal)])
        if (!signal.aborted) return this.#commit(partition, next, signal, true)
      }
      if (refusal !== undefined && notOurs.has(refusal)) this.#refused(partition, signal)
      throw error instanceof AppError ? error : kafkaError('the group does not take the offset', error)
    }
    const running = this.#lanes.get(partition)
    if (running?.stop.signal === signal) running.committed = next
  }

  /** The lane ends. If it turns out that it is ours after all, there is another one. */
  #refused(partition: number, signal: AbortSignal): void {
    const running = this.#lanes.get(partition)
    if (!running || running.stop.signal !== signal || signal.aborted) return
    this.#o.logger.warn('the group refused the commit of a lane, which ends', { partition })
    this.#end(partition)
    void running.ended.then(() => {
      if (this.#stopped || !this.#assigned.includes(partition) || this.#lanes.has(partition)) return
      this.#begin(partition, doubtMs, true)
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
      records: batch.messages.map((message) => readMessage(partition, message, this.#o.codec)),
      end: Number(batch.highWatermark),
    }
    if (running.feed.leavesOut(delivery)) {
      // Either kafkajs stands elsewhere, or the topic does not hold so early a record any more.
      const own = (await this.#offsets()).find((one) => one.partition === partition)
      if (own) this.#learn(partition, running.feed, own)
    }
    resolveOffset(batch.lastOffset())
    running.feed.offer(delivery)
  }

  #learn(partition: number, feed: Feed, { low, high }: { readonly low: string; readonly high: string }): void {
    feed.learn(Number(low), Number(high))
    if (!feed.hole) return
    const { group, logger } = this.#o
    const { from, to } = feed.hole
    logger.error('Kafka has deleted records before the group read them', {
      group,
      partition,
      first: from,
      last: to - 1,
    })
  }

  /** A coordinator that died or froze is not replaced by kafkajs, which waits for it. */
  #lookForLost(): void {
    if (this.#making || !this.#member?.isLost) return
    this.#o.logger.warn('the consumer group is not heard of, and is joined anew', { group: this.#o.group })
    this.#makeAnew('not heard of')
  }

  /** Of all partitions; none when they cannot be learned now. */
  #offsets() {
    const { asker, topic } = this.#o
    return asker.ask('the bounds of the topic', (admin) => admin.fetchTopicOffsets(topic)).catch(() => [])
  }

  async #lookForStuck(): Promise<void> {
    if (this.#making) return
    const waiting = [...this.#lanes].flatMap(([partition, { feed }]) =>
      feed.waitsFor === undefined ? [] : [{ partition, next: feed.waitsFor }],
    )
    const offsets = waiting.length > 0 ? await this.#offsets() : []
    for (const { partition, low, high } of offsets) {
      // What was deleted brings no records that would tell of it.
      const feed = waiting.some((lane) => lane.partition === partition) && this.#lanes.get(partition)?.feed
      if (feed) this.#learn(partition, feed, { low, high })
    }
    const partition = this.#watchdog.look(waiting, new Map(offsets.map((one) => [one.partition, Number(one.high)])))
    if (partition === undefined || this.#stopped) return
    this.#o.logger.warn('the consumer stands still and is made anew', { partition })
    this.#makeAnew('stuck')
  }
}

const gone = (): AppError => new AppError('UNAVAILABLE', 'the lane is not ours any more')
