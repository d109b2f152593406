import {
  AppError,
  type Clock,
  type EventLog,
  type Health,
  type Lane,
  type Logger,
  type Metrics,
  noMetrics,
} from '@splitstream/kernel'
import type { Kafka } from 'kafkajs'
import { Rounds } from '../../discovery/rounds.ts'
import { openLocalLog } from '../log/local-log.ts'
import { BrokerAccess } from './access.ts'
import { Asker, adminClient } from './asker.ts'
import { Brokers } from './brokers.ts'
import { type Compression, kafkaClient } from './client.ts'
import { asCloudEvents, type EventCodec } from './cloud-event-record.ts'
import { KafkaGroup } from './consumer.ts'
import { EventsPerRecord, lagOf } from './lag.ts'
import { maxEventsPerRecord } from './places.ts'
import { Reachability } from './reachability.ts'
import { asBatch } from './record.ts'
import { RetentionWatch } from './retention-watch.ts'
import { maxRecordBytes, prepareTopic, type TopicOptions } from './topic.ts'
import { TopicGate } from './topic-gate.ts'
import { KafkaWriter } from './writer.ts'

export interface KafkaLogOptions extends TopicOptions {
  /** host:port of some brokers; the others are found through them. */
  readonly brokers: readonly string[]
  /** How they are reached; in the clear and unnamed without it. */
  readonly access?: BrokerAccess
  readonly compression: Compression
  /** What is in the bytes of records. Without it the log neither writes nor reads single events. */
  readonly codec?: EventCodec
  /** Write a record for each event, in place of one for each batch. Both are read. */
  readonly singleEvents?: boolean
  /** Prefix of consumer groups, so that several installations can share a cluster. */
  readonly groupPrefix: string
  /** Groups whose lag is told, also when other processes consume them. */
  readonly groups?: readonly string[]
  /** Folder of the spool. Without it the log is for reading only. */
  readonly spoolDir?: string | undefined
  readonly maxSpoolBytes: number
  readonly minFreeBytes: number
  /** Bytes that may wait for an acknowledgement. */
  readonly maxPendingBytes?: number
  /** How long brokers may take to acknowledge a send, ms; then its events go into the spool. Default 4,000. */
  readonly sendMs?: number
  /** How long a start waits for Kafka, ms. Then it goes on without it: a writer into its spool. */
  readonly startMs?: number
  /** How often it is looked how old is what groups have not taken, ms. */
  readonly watchMs?: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
}

export interface KafkaLog extends EventLog {
  /** Bytes that wait for an acknowledgement. */
  readonly pendingBytes: number
  /** Nothing waits for an acknowledgement, and the spool is empty. */
  readonly settled: boolean
  /** Records that a group has not committed yet, of all partitions. @throws AppError UNAVAILABLE */
  lag(group: string): Promise<number>
  /**
   * About how many events each group has not committed yet, as the records go that this process has seen. A group that was
   * never there is left out. @throws AppError UNAVAILABLE
   */
  lags(): Promise<ReadonlyMap<string, number>>
  /** Of one record. An append of more is refused. */
  readonly recordLimits: { readonly maxBytes: number; readonly maxEvents: number }
  health(): Health
  /** Degraded while a group is so far behind that Kafka may delete what it has not taken. */
  retention(): Health
  /** Resolves with the reason when the spool will never take anything again in this process. */
  readonly lost?: Promise<string>
  stop(): Promise<void>
}

/** How often the cluster is asked for its brokers, ms. */
const learnEveryMs = 60_000

/**
 * The event log on Kafka. Appends resolve once the brokers have them (acks=all), or, while those do not answer, once they are
 * durable in the spool. @throws AppError CONFIG_INVALID for a topic that does not fit
 */
export async function openKafkaLog(o: KafkaLogOptions): Promise<KafkaLog> {
  const { clock, logger, topic, partitions } = o
  const access = o.access ?? new BrokerAccess({ clock, logger })
  const brokers = new Brokers(o.brokers)
  const kafka = kafkaClient(brokers, access, 'splitstream', logger)
  const asker = new Asker(kafka)
  const reachability = new Reachability(brokers, access, clock, logger)
  const stopping = new AbortController()
  const gate = new TopicGate({ prepare: () => prepare(kafka, brokers, o), clock, logger })
  const learning = new Rounds(clock, async () => {
    await asker.ask('the brokers', (admin) => brokers.learn(admin)).catch(() => undefined)
    return learnEveryMs
  })
  const end = async (): Promise<void> => {
    stopping.abort()
    reachability.stop()
    learning.stop()
    gate.stop()
    await asker.close()
  }
  gate.start()
  const waited = clock.sleep(o.startMs ?? 10_000, stopping.signal).catch(() => undefined)
  // Who is not let in waits for an operator, and not for Kafka.
  await Promise.race([gate.answered, access.troubled, waited])
  if (gate.unfit) {
    await end()
    throw gate.unfit
  }
  const late = !gate.isOpen
  if (late) {
    logger.warn('Kafka does not answer; going on without it for now', { brokers: o.brokers.join(',') })
    reachability.suspect()
    void gate.answered.then(() => {
      if (gate.unfit) logger.error('Kafka answers, and cannot be used', { error: gate.unfit.message })
    })
  }

  const spool =
    o.spoolDir === undefined
      ? undefined
      : await openLocalLog({
          dir: o.spoolDir,
          partitions,
          clock,
          logger,
          retainBytes: 0,
          retainMs: 0,
          minFreeBytes: o.minFreeBytes,
        }).catch(async (error: unknown) => {
          await end()
          throw error
        })
  const writer =
    spool &&
    new KafkaWriter({
      kafka,
      topic,
      partitions,
      compression: o.compression,
      encode: o.singleEvents && o.codec ? asCloudEvents(o.codec) : asBatch,
      reachability,
      gate,
      spool,
      maxSpoolBytes: o.maxSpoolBytes,
      maxPendingBytes: o.maxPendingBytes ?? 64 << 20,
      sendMs: o.sendMs,
      clock,
      logger,
      metrics: o.metrics ?? noMetrics,
    })
  if (!late) await writer?.connect()
  await writer?.start()
  const groups = new Set<KafkaGroup>()
  const groupOf = (name: string): string => `${o.groupPrefix}-${name}`
  const consumed = new Set<string>()
  const perRecord = new EventsPerRecord()
  const lag = (name: string) => lagOf(asker, topic, groupOf(name))
  const groupNames = (): Set<string> => new Set([...(o.groups ?? []), ...consumed])
  const retention = new RetentionWatch({
    asker,
    topic,
    groups: () => new Map([...groupNames()].map((name) => [name, groupOf(name)])),
    clock,
    logger,
    ...(o.watchMs !== undefined && { everyMs: o.watchMs }),
  })
  retention.start()
  void learning.start()

  return {
    partitions,
    // Others append, too.
    end: () => undefined,
    get pendingBytes() {
      return writer?.pendingBytes ?? 0
    },
    get settled() {
      return writer?.settled ?? true
    },
    ...(spool && { lost: spool.lost }),
    recordLimits: { maxBytes: maxRecordBytes, maxEvents: maxEventsPerRecord },
    lag: async (group) => (await lag(group)).records,
    lags: async () => {
      const all = await Promise.all([...groupNames()].map(async (name) => ({ name, ...(await lag(name)) })))
      const there = all.filter(({ name, begun }) => begun || consumed.has(name))
      return new Map(there.map(({ name, records }) => [name, perRecord.eventsIn(records)]))
    },
    append: async (entries, call) => {
      if (!writer) throw new AppError('INTERNAL', 'This process only reads the log')
      for (const { count } of entries) perRecord.add(o.singleEvents ? 1 : count)
      return writer.append(entries, call)
    },
    consume: async (name, handler) => {
      if (stopping.signal.aborted) throw new AppError('STOPPING', 'The event log is stopping')
      consumed.add(name)
      const group = new KafkaGroup(
        { kafka, asker, topic, partitions, group: groupOf(name), codec: o.codec, clock, logger },
        (lane) => handler(counting(lane, perRecord)),
      )
      groups.add(group)
      group.start()
      return {
        get absence() {
          return group.absence
        },
        stop: async () => {
          groups.delete(group)
          await group.stop()
        },
      }
    },
    health: () => {
      if (gate.unfit) return { state: 'down', reason: gate.unfit.message }
      return healthOf(gate.isOpen, access.trouble, writer?.health())
    },
    retention: () => retention.health(),
    stop: async () => {
      stopping.abort()
      await Promise.all([...groups].map((group) => group.stop()))
      retention.stop()
      await writer?.stop()
      await spool?.stop()
      await end()
    },
  }
}

/**
 * A process that was never let in is told so as `down`: its settings are its own to mend, and a new release with wrong ones must not
 * take the place of one that works. What is refused later is an outage like others: the spool takes events.
 */
function healthOf(prepared: boolean, trouble: string | undefined, written: Health = { state: 'ok' }): Health {
  if (!prepared) {
    return trouble === undefined
      ? { state: 'degraded', reason: 'Kafka does not answer' }
      : { state: 'down', reason: `Kafka cannot be used: ${trouble}` }
  }
  if (trouble === undefined) return written
  return { state: 'degraded', reason: [trouble, written.reason].filter((reason) => reason !== undefined).join('; ') }
}

function counting(lane: Lane, perRecord: EventsPerRecord): Lane {
  return {
    ...lane,
    read: async (from, limits) => {
      const records = await lane.read(from, limits)
      for (const { count } of records) perRecord.add(count)
      return records
    },
  }
}

/** @throws AppError CONFIG_INVALID; anything else passes, some time */
async function prepare(kafka: Kafka, brokers: Brokers, o: KafkaLogOptions): Promise<void> {
  // Another client each time: it begins with a broker that answers.
  const admin = adminClient(kafka)
  try {
    await admin.connect()
    await prepareTopic(admin, o, o.logger)
    await brokers.learn(admin)
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
}
