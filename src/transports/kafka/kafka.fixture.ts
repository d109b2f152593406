import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Call, type Lane, type LogRecord, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import type { Kafka } from 'kafkajs'
import { BrokerAccess } from './access.ts'
import { Asker } from './asker.ts'
import { Brokers } from './brokers.ts'
import { kafkaClient } from './client.ts'
import { type KafkaLogOptions, openKafkaLog } from './log.ts'

export const partitions = 4

/** In the clear, as an open cluster is reached. */
export const plainAccess = (): BrokerAccess => new BrokerAccess({ clock: systemClock, logger: silentLogger })

export const freshTopic = (name: string): string => `${name}-${randomUUID()}`

export const call = (): Call => systemCall(systemClock, 60_000, new AbortController().signal)

export const entry = (partition: number, value: string) => ({ partition, count: 1, bytes: Buffer.from(value) })

/** So long may a busy machine need, for the topic and for an append, before events go into the spool and have no place. */
export const patient = { startMs: 60_000, sendMs: 60_000 }

export const text = ({ bytes }: Pick<LogRecord, 'bytes'>): string => Buffer.from(bytes).toString()

/** What a test has to close, in reverse. */
export class Cleanups {
  readonly #all: (() => Promise<unknown>)[] = []

  add(cleanup: () => Promise<unknown>): void {
    this.#all.push(cleanup)
  }

  async run(): Promise<void> {
    for (const cleanup of this.#all.splice(0).toReversed()) await cleanup()
  }

  async folder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-kafka-log-'))
    this.add(() => rm(dir, { recursive: true, force: true }))
    return dir
  }

  /** Options of a log with a spool of its own. */
  async options(brokers: readonly string[], topic: string, more: Partial<KafkaLogOptions> = {}) {
    const spoolDir = await this.folder()
    const place = { brokers, topic, groupPrefix: topic, spoolDir, partitions, replication: 3, minInSync: 2 }
    const limits = { retainMs: 3_600_000, maxSpoolBytes: 64 << 20, minFreeBytes: 0, ...patient }
    const shared = { compression: 'none' as const, clock: systemClock, logger: silentLogger }
    return { ...place, ...limits, ...shared, ...more }
  }

  async log(o: KafkaLogOptions) {
    const log = await openKafkaLog(o)
    let stopped: Promise<void> | undefined
    const stop = (): Promise<void> => {
      stopped ??= log.stop()
      return stopped
    }
    this.add(stop)
    const { append, consume, lag, lags, health, retention } = log
    return { append, consume, lag, lags, health, retention, stop }
  }

  client(brokers: readonly string[]): { kafka: Kafka; asker: Asker } {
    const kafka = kafkaClient(new Brokers(brokers), plainAccess(), 'splitstream-test', silentLogger)
    const asker = new Asker(kafka)
    this.add(() => asker.close())
    return { kafka, asker }
  }
}

/** The first `count` records of a partition, from where the log begins. */
export async function readFirst(lane: Lane, count: number): Promise<LogRecord[]> {
  const found: LogRecord[] = []
  for (let next = 0; found.length < count && !lane.signal.aborted; ) {
    for (const record of await lane.read(next, { maxEvents: 100_000, maxBytes: 32 << 20, waitMs: 1_000 })) {
      found.push(record)
      next = record.baseOffset + record.count
    }
  }
  return found
}
