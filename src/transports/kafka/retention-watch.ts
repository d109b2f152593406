import { type Clock, type Health, type Logger, messageOf } from '@splitstream/kernel'
import { Rounds } from '../../discovery/rounds.ts'
import type { Asker } from './asker.ts'
import { retentionOf } from './topic.ts'

export interface RetentionWatchOptions {
  readonly asker: Asker
  readonly topic: string
  /** Groups as Kafka knows them, by the names that are shown. */
  groups(): ReadonlyMap<string, string>
  readonly clock: Clock
  readonly logger: Logger
  readonly everyMs?: number
}

const everyMs = 30_000
/** Part of the time that Kafka keeps events after which what is not taken is told of: as much is left to do something. */
const told = 0.5

/**
 * Kafka deletes events when their time is over, taken or not. A group that is so far behind that this comes near is told of by
 * every process that uses the log, as the one that should take them may not run. Each round asks Kafka for the topic's settings, its
 * first record and the first that is not old yet, and how far each group is; none of it reads a record.
 */
export class RetentionWatch {
  readonly #o: RetentionWatchOptions
  readonly #rounds: Rounds
  #reason: string | undefined

  constructor(o: RetentionWatchOptions) {
    this.#o = o
    this.#rounds = new Rounds(o.clock, async () => {
      await this.#round()
      return o.everyMs ?? everyMs
    })
  }

  start(): void {
    void this.#rounds.start()
  }

  stop(): void {
    this.#rounds.stop()
  }

  health(): Health {
    return this.#reason === undefined ? { state: 'ok' } : { state: 'degraded', reason: this.#reason }
  }

  async #round(): Promise<void> {
    const { logger } = this.#o
    try {
      const reason = await this.#look()
      if (reason !== undefined && this.#reason === undefined) logger.error(reason)
      this.#reason = reason
    } catch (error) {
      // What was last known holds on: that Kafka is away is told by others.
      logger.debug('the age of what is not taken is not known', { error: messageOf(error) })
    }
  }

  async #look(): Promise<string | undefined> {
    const { asker, topic, clock } = this.#o
    const { ms } = await asker.ask("the topic's settings", (admin) => retentionOf(admin, topic))
    if (ms === undefined) return undefined
    const young = await asker.ask('the age of records', (admin) =>
      admin.fetchTopicOffsetsByTimestamp(topic, Math.floor(clock.now() - ms * told)),
    )
    const firstYoung = new Map(young.map(({ partition, offset }) => [partition, Number(offset)]))
    const bounds = await asker.ask('the bounds of the topic', (admin) => admin.fetchTopicOffsets(topic))
    const first = new Map(bounds.map(({ partition, low }) => [partition, Number(low)]))
    for (const [name, groupId] of this.#o.groups()) {
      const [own] = await asker.ask("the group's offsets", (admin) => admin.fetchOffsets({ groupId, topics: [topic] }))
      const committed = own?.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const) ?? []
      // One that never took anything may not be wanted.
      if (committed.every(([, offset]) => offset < 0)) continue
      const before = (from: ReadonlyMap<number, number>) =>
        committed.filter(([partition, offset]) => Math.max(0, offset) < (from.get(partition) ?? 0)).length
      if (before(first) > 0) return lateFor(name, before(first))
      if (before(firstYoung) > 0) return soonLateFor(name, topic, ms, before(firstYoung))
    }
    return undefined
  }
}

const lateFor = (group: string, partitions: number): string =>
  `Kafka has deleted events of ${partitions} partitions that ${group} had not taken`

const soonLateFor = (group: string, topic: string, ms: number, partitions: number): string =>
  `${group} has not taken events of ${partitions} partitions that are older than ${hours(ms * told)}, and Kafka deletes events ` +
  `after ${hours(ms)}: bring ${group} back, or give it time with kafka-configs.sh --bootstrap-server … --alter ` +
  `--entity-type topics --entity-name ${topic} --add-config retention.ms=${ms * 2}`

/** `168 h`, `0.5 h` */
const hours = (ms: number): string => `${Number((ms / 3_600_000).toPrecision(3))} h`
