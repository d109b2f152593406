import {
  AppError,
  type Call,
  type Clock,
  durationBuckets,
  type Health,
  type LogAppend,
  type Logger,
  type LogRange,
  type Metrics,
} from '@splitstream/kernel'
import type { Kafka } from 'kafkajs'
import { checkAppend } from '../check-append.ts'
import type { LocalLog } from '../log/local-log.ts'
import type { Compression } from './client.ts'
import { PartitionWriter } from './partition-writer.ts'
import { maxEventsPerRecord } from './places.ts'
import { KafkaProducer } from './producer.ts'
import type { Reachability } from './reachability.ts'
import type { Encode } from './sends.ts'
import { maxRecordBytes } from './topic.ts'
import type { TopicGate } from './topic-gate.ts'

export interface WriterOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly partitions: number
  readonly compression: Compression
  readonly encode: Encode
  readonly reachability: Reachability
  readonly gate: TopicGate
  /** Where events wait while Kafka does not take them. */
  readonly spool: LocalLog
  readonly maxSpoolBytes: number
  readonly maxPendingBytes: number
  /** See ProducerOptions. */
  readonly sendMs?: number | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The writing half of the Kafka log: each partition by itself, so that one whose leader is gone holds up no other. */
export class KafkaWriter {
  readonly #o: WriterOptions
  readonly #producers: KafkaProducer[]
  readonly #writers: PartitionWriter[]
  #pendingBytes = 0
  #pending = 0
  #idle: (() => void) | undefined
  #draining: { stop(): Promise<void> } | undefined
  #closing = false

  constructor(o: WriterOptions) {
    this.#o = o
    const { kafka, topic, compression, reachability, gate, clock, logger, spool } = o
    const partitions = Array.from({ length: o.partitions }, (_, p) => p)
    const help = 'Batches sent to Kafka, until the brokers have acknowledged them'
    const seconds = o.metrics.histogram('splitstream.kafka.send', help, durationBuckets, ['error.type'])
    const producer = { kafka, topic, compression, reachability, clock, seconds, sendMs: o.sendMs }
    this.#producers = partitions.map(() => new KafkaProducer(producer))
    o.metrics.gauge(
      'splitstream.kafka.spooled',
      'Bytes that wait here until Kafka takes them',
      () => this.#spooled,
      'By',
    )
    const backlog = spool.stats().partitions
    const reserve = (bytes: number): void => this.#reserve(bytes)
    this.#writers = partitions.map((partition) => {
      const producer = this.#producers[partition]!
      const options = { partition, producer, encode: o.encode, reachability, gate, spool, reserve, clock, logger }
      return new PartitionWriter(options, backlog[partition]!.end > backlog[partition]!.start)
    })
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get #spooled(): number {
    const { partitions, pendingBytes } = this.#o.spool.stats()
    return this.#writers.some((writer) => writer.holds)
      ? partitions.reduce((sum, { bytes }) => sum + bytes, pendingBytes)
      : pendingBytes
  }

  get settled(): boolean {
    return this.#pending === 0 && !this.#writers.some((writer) => writer.holds)
  }

  /** Connects to Kafka, so that the first append finds it ready. */
  async connect(): Promise<void> {
    await Promise.all(this.#producers.map((producer) => producer.connect()))
  }

  async start(): Promise<void> {
    this.#draining = await this.#o.spool.consume('kafka', (lane) => this.#writers[lane.partition]!.drain(lane))
  }

  /** Ranges of what has a place in Kafka; what went into the spool has none yet, and is as durable. */
  async append(entries: readonly LogAppend[], call: Call): Promise<LogRange[]> {
    const bytes = checkAppend(entries, this.#o, call)
    for (const entry of entries) checkSize(entry)
    if (this.#closing) throw new AppError('STOPPING', 'The event log is stopping')
    if (this.#pendingBytes + bytes > this.#o.maxPendingBytes) {
      throw new AppError('OVERLOADED', 'Too many bytes wait for Kafka', { retryAfterMs: 1_000 })
    }
    this.#pendingBytes += bytes
    this.#pending++
    try {
      const results = await Promise.allSettled(entries.map((entry) => this.#writers[entry.partition]!.append(entry)))
      const failed = results.find((result) => result.status === 'rejected')
      if (failed) throw failed.reason
      return results.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []))
    } finally {
      this.#pendingBytes -= bytes
      if (--this.#pending === 0) this.#idle?.()
    }
  }

  health(): Health {
    const holding = this.#writers.filter((writer) => writer.holds).length
    if (holding === 0) return { state: 'ok' }
    return { state: 'degraded', reason: `events of ${holding} partitions wait here until Kafka takes them` }
  }

  /** What is in the spool stays there for the next start. */
  async stop(): Promise<void> {
    this.#closing = true
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    await this.#draining?.stop()
    await Promise.all(this.#producers.map((producer) => producer.close()))
  }

  #reserve(bytes: number): void {
    const { partitions, pendingBytes } = this.#o.spool.stats()
    const kept = partitions.reduce((sum, partition) => sum + partition.bytes, pendingBytes)
    if (kept + bytes <= this.#o.maxSpoolBytes) return
    throw new AppError('UNAVAILABLE', 'Kafka does not take events, and as many as may wait for it are waiting', {
      retryAfterMs: 5_000,
    })
  }
}

/** What Kafka will never take must not get in: everything behind it would wait for ever. */
function checkSize({ count, bytes }: LogAppend): void {
  if (count > maxEventsPerRecord) throw new AppError('INTERNAL', `A record holds up to ${maxEventsPerRecord} events`)
  if (bytes.length > maxRecordBytes) {
    throw new AppError('BODY_TOO_LARGE', `A record on Kafka holds up to ${maxRecordBytes} bytes`)
  }
}
