import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { joinEvent, splitEvents } from '@splitstream/ingest/contract'
import {
  type Clock,
  type EventLog,
  type Health,
  type Lifecycle,
  type Logger,
  type LogRecord,
  type Metrics,
  noMetrics,
} from '@splitstream/kernel'
import type { Config } from './config.ts'
import { fitRecord } from './fit-record.ts'
import { openKafkaAccess } from './kafka-access.ts'
import type { EventCodec } from './transports/kafka/cloud-event-record.ts'
import { type LocalLogOptions, type LogHold, openLocalLog } from './transports/log/local-log.ts'
import { moveRest } from './transports/log/move-rest.ts'

export interface OpenLog extends EventLog {
  /** Bytes that are not durable yet. */
  readonly pendingBytes: number
  /**
   * Events that each consumer group of the installation has not taken yet; on Kafka about so many. A group that was never
   * there is left out. @throws AppError UNAVAILABLE when nobody can say
   */
  lags(): ReadonlyMap<string, number> | Promise<ReadonlyMap<string, number>>
  /** All that was appended is in the log itself: nothing is on its way, or in a spool. */
  readonly settled: boolean
  /** How much a group has not taken yet, in events or records. 0: nothing. @throws AppError UNAVAILABLE when nobody can say */
  lag(group: string): Promise<number>
  /** An earlier local log was moved into this one: it holds nothing any more. */
  readonly movedFrom?: 'local'
  /** As files, for a backup; of a log that is all in this process. */
  readonly files?: { readonly dir: string; readonly partitions: number; hold(): LogHold }
  /** Resolves with the reason when appends to its file will never be taken again in this process. */
  readonly lost?: Promise<string>
  /** Appends are refused, as the disk has no room for them. */
  readonly full?: boolean
  health(): Health
  /** Degraded while a group is so far behind that the log may delete what it has not taken. A log that never does has none. */
  retention?(): Health
}

/** What this process does with the log. */
export interface LogNeed {
  readonly appends: boolean
  /** Groups that consume it: in this process, or, where others consume it too, in any. */
  readonly groups: readonly string[]
}

export interface LogDeps {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  /** Stops the log. */
  readonly lifecycle: Lifecycle
  readonly metrics?: Metrics
}

/** Opens the log in DATA_DIR, which all that append to it and consume it share. */
export async function openLogInDataDir({ groups }: LogNeed, deps: LogDeps): Promise<OpenLog> {
  const local = optionsOf(deps)
  const log = await openLocalLog({ ...local, groups })
  await deps.lifecycle.start({ name: 'event log', start: async () => undefined, stop: () => log.stop() })
  warnOfMissing(groups, log.stats().lag, deps.logger)
  return {
    partitions: log.partitions,
    end: log.end,
    append: log.append,
    consume: log.consume,
    health: log.health,
    lost: log.lost,
    ...(log.isSkipped && { isSkipped: log.isSkipped }),
    files: { dir: local.dir, partitions: log.partitions, hold: log.hold },
    get full() {
      return log.health().state === 'degraded'
    },
    get pendingBytes() {
      return log.stats().pendingBytes
    },
    lags: () => new Map(groups.map((group) => [group, log.stats().lag[group] ?? 0])),
    get settled() {
      return log.stats().pendingBytes === 0
    },
    lag: async (group) => {
      const { lag, partitions } = log.stats()
      return lag[group] ?? partitions.reduce((sum, { start, end }) => sum + end - start, 0)
    },
  }
}

/** Opens the log on Kafka. What an earlier local log has left unstored is moved into it first. */
export async function openLogOnKafka(
  brokers: readonly string[],
  { appends, groups }: LogNeed,
  deps: LogDeps,
): Promise<OpenLog> {
  const { config, clock, logger, lifecycle, metrics = noMetrics } = deps
  const local = optionsOf(deps)
  const access = await openKafkaAccess(config, clock, logger, lifecycle)
  // Loaded where there is a Kafka: its client takes time and memory.
  const { openKafkaLog } = await import('./transports/kafka/log.ts')
  const log = await openKafkaLog({
    brokers,
    access,
    topic: config.KAFKA_TOPIC,
    partitions: config.LOG_PARTITIONS,
    replication: config.KAFKA_REPLICATION,
    minInSync: config.KAFKA_MIN_INSYNC,
    retainMs: config.KAFKA_RETAIN_HOURS * 3_600_000,
    compression: config.KAFKA_COMPRESSION,
    codec: eventCodec,
    singleEvents: config.KAFKA_RECORDS === 'cloudevents',
    groupPrefix: config.KAFKA_TOPIC,
    groups,
    spoolDir: appends ? join(config.DATA_DIR, 'spool') : undefined,
    maxSpoolBytes: config.SPOOL_MAX_BYTES,
    minFreeBytes: config.MIN_FREE_BYTES,
    clock,
    logger,
    metrics,
  })
  await lifecycle.start({ name: 'event log', start: async () => undefined, stop: () => log.stop() })
  if (!appends || !(await exists(join(local.dir, 'log.db')))) return log
  const partsOf = (record: LogRecord) => fitRecord(record, log.recordLimits)
  await moveRest({ from: local, to: log, partsOf, clock, logger })
  return Object.assign(log, { movedFrom: 'local' as const })
}

/** Nobody else can consume a log in DATA_DIR. */
function warnOfMissing(groups: readonly string[], lag: Readonly<Record<string, number>>, logger: Logger): void {
  for (const [module, behind] of Object.entries(lag)) {
    if (groups.includes(module)) continue
    logger.warn(`${module} took from this log before and is not in MODULES: no event is kept for it any more`, {
      behind,
    })
  }
}

const optionsOf = ({ config, clock, logger }: LogDeps): LocalLogOptions => ({
  dir: join(config.DATA_DIR, 'log'),
  partitions: config.LOG_PARTITIONS,
  clock,
  logger,
  retainBytes: config.LOG_RETAIN_BYTES,
  retainMs: config.LOG_RETAIN_HOURS * 3_600_000,
  minFreeBytes: config.MIN_FREE_BYTES,
})

/** What ingest puts into the log. */
const eventCodec: EventCodec = { split: splitEvents, join: joinEvent }

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
