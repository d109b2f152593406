import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinEvent, splitEvents } from '@splitstream/ingest/contract'
import { type EventLog, type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import { patient } from '../../src/transports/kafka/kafka.fixture.ts'
import { type KafkaLogOptions, openKafkaLog } from '../../src/transports/kafka/log.ts'
import { forceEncoding } from '../../src/transports/log/forced-encoding.ts'
import { type LocalLog, openLocalLog } from '../../src/transports/log/local-log.ts'
import { ofEvents } from './log-of-events.ts'

export interface LogSettings {
  readonly maxPendingBytes?: number
}

/** A log that a case has for itself, empty at first. */
export interface LogUnderTest {
  /** As it is open now. */
  readonly log: EventLog
  /** As many events as one of its records may hold, `count` at most. */
  few(count: number): number
  stop(): Promise<void>
  /** Stops it when it runs, and opens it on what it left, as another process would. */
  reopen(): Promise<void>
  /** Stops it when it runs, and removes what it left. */
  close(): Promise<void>
}

/** What logs on Kafka warned of last, for a failure to tell: why is not seen at the port. */
export const lastWarnings: string[] = []
const kept: Logger = {
  ...silentLogger,
  warn: (message, fields) => {
    lastWarnings.push(`${message} ${JSON.stringify(fields ?? {})}`)
    lastWarnings.splice(0, lastWarnings.length - 5)
  },
}

export type OpenLog = (settings?: LogSettings) => Promise<LogUnderTest>

export const partitions = 4

/** Every adapter that needs nothing but this machine. Kafka's rows are in test/system. */
export const localAdapters: readonly (readonly [string, OpenLog])[] = [
  ['local log', (settings) => localLog((log) => log, settings)],
  ['local log, forced encoding', (settings) => localLog(forceEncoding, settings)],
]

async function localLog(adapt: (log: LocalLog) => EventLog, settings: LogSettings = {}): Promise<LogUnderTest> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-stream-port-'))
  const shared = { clock: systemClock, logger: silentLogger, minFreeBytes: 0 }
  const open = async (): Promise<Opened> => {
    const log = await openLocalLog({ dir, partitions, ...shared, ...settings })
    return { log: adapt(log), stop: () => log.stop() }
  }
  return underTest(open, dir)
}

/** @param topic one that nobody else uses; made when it is opened */
export function kafkaLog(
  brokers: readonly string[],
  topic: string,
  settings: LogSettings & Pick<KafkaLogOptions, 'access'> = {},
): Promise<LogUnderTest> {
  return openOnKafka(brokers, topic, settings, (log) => log)
}

/** The same with a record for each event: what is appended is put into an event, and a record holds one. */
export async function kafkaLogOfEvents(
  brokers: readonly string[],
  topic: string,
  settings: LogSettings = {},
): Promise<LogUnderTest> {
  const codec = { split: splitEvents, join: joinEvent }
  const opened = await openOnKafka(brokers, topic, { ...settings, codec, singleEvents: true }, ofEvents)
  return Object.assign(opened, { few: () => 1 })
}

async function openOnKafka(
  brokers: readonly string[],
  topic: string,
  settings: LogSettings & Pick<KafkaLogOptions, 'access' | 'codec' | 'singleEvents'>,
  adapt: (log: EventLog) => EventLog,
): Promise<LogUnderTest> {
  const spoolDir = await mkdtemp(join(tmpdir(), 'splitstream-stream-port-'))
  const place = { brokers, topic, groupPrefix: topic, spoolDir, partitions, replication: 3, minInSync: 2 }
  const limits = { retainMs: 3_600_000, maxSpoolBytes: 64 << 20, minFreeBytes: 0, ...patient }
  const shared = { compression: 'none' as const, clock: systemClock, logger: kept }
  const open = async (): Promise<Opened> => {
    const log = await openKafkaLog({ ...place, ...limits, ...shared, ...settings })
    return { log: adapt(log), stop: () => log.stop() }
  }
  return underTest(open, spoolDir)
}

interface Opened {
  readonly log: EventLog
  stop(): Promise<void>
}

async function underTest(open: () => Promise<Opened>, dir: string): Promise<LogUnderTest> {
  let opened = await open()
  let running = true
  const stop = async (): Promise<void> => {
    if (!running) return
    running = false
    await opened.stop()
  }
  return {
    get log() {
      return opened.log
    },
    few: (count) => count,
    stop,
    reopen: async () => {
      await stop()
      opened = await open()
      running = true
    },
    close: async () => {
      await stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
