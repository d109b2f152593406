import { type Clock, type Lane, type LogAppend, type Logger, type LogRange, messageOf } from '@splitstream/kernel'
import type { LocalLog } from '../log/local-log.ts'
import type { KafkaProducer } from './producer.ts'
import type { Reachability } from './reachability.ts'
import type { Outgoing } from './record.ts'
import { type Encode, write } from './sends.ts'
import type { TopicGate } from './topic-gate.ts'

interface Waiting {
  readonly entry: LogAppend
  /** Without a range: durable in the spool, and without a place in Kafka yet. */
  resolve(range: LogRange | undefined): void
  reject(error: unknown): void
}

export interface PartitionWriterOptions {
  readonly partition: number
  readonly producer: Pick<KafkaProducer, 'send'>
  readonly encode: Encode
  readonly reachability: Reachability
  readonly gate: Pick<TopicGate, 'isOpen' | 'untilOpen'>
  readonly spool: Pick<LocalLog, 'append' | 'stats'>
  /** @throws AppError when the spool may not take `bytes` more */
  reserve(bytes: number): void
  readonly clock: Clock
  readonly logger: Logger
}

/** Bytes and records of one send; what arrives beyond waits for the next. */
const maxSendBytes = 4 << 20
const maxSendRecords = 1_000

/**
 * Writes one partition of the topic, in order. States:
 *
 *   direct    appends go to Kafka, one send at a time; what arrives meanwhile shares the next send.
 *   spooling  Kafka did not acknowledge, no broker is there, or the topic may not be written to: that send, everything behind it and everything that comes now
 *             goes to the spool, which is durable on this machine. When a broker is there, the drain sends the spool in its
 *             order. When it is empty, and nothing is on its way into it, the partition is direct again.
 *
 * A send that failed may have been written: then the drain writes its events again, and storage drops the repetition as it
 * does with any retry.
 */
export class PartitionWriter {
  readonly #o: PartitionWriterOptions
  #queue: Waiting[] = []
  #sending = false
  #spooling: boolean
  /** Something was put into the spool since the partition was last direct. */
  #holds: boolean
  /** Appends on their way into the spool. */
  #entering = 0

  /** @param holds the spool has something of this partition from an earlier life */
  constructor(o: PartitionWriterOptions, holds: boolean) {
    this.#o = o
    this.#holds = holds
    this.#spooling = holds || !o.gate.isOpen
  }

  /** Events of it wait until Kafka takes them. */
  get holds(): boolean {
    return this.#holds
  }

  append(entry: LogAppend): Promise<LogRange | undefined> {
    if (this.#spooling) return this.#spool([entry])
    const { promise, resolve, reject } = Promise.withResolvers<LogRange | undefined>()
    this.#queue.push({ entry, resolve, reject })
    if (!this.#sending) {
      this.#sending = true
      // At the end of the turn, so that all appends of one turn share a send.
      setImmediate(() => void this.#sendAll())
    }
    return promise
  }

  /** Sends the spool to Kafka until it is taken away. @throws AppError when Kafka does not take it; it is run again then */
  async drain(lane: Lane): Promise<void> {
    await this.#o.gate.untilOpen(lane.signal)
    for (let next = await lane.committed(); !lane.signal.aborted; ) {
      const records = await lane.read(next, { maxEvents: 200_000, maxBytes: maxSendBytes, waitMs: 500 })
      if (records.length > 0) {
        await this.#o.reachability.untilBack(lane.signal)
        if (lane.signal.aborted) return
        // Kafka keeps records by their time, and one that waited here for long has all of it before it.
        await this.#write(records.map((record) => ({ ...record, appendedAt: undefined })))
        const last = records.at(-1)!
        next = last.baseOffset + last.count
        await lane.commit(next)
      }
      // In one turn, so that no append comes in between.
      if (this.#spooling && this.#entering === 0 && this.#o.spool.stats().partitions[this.#o.partition]!.end === next) {
        if (this.#holds)
          this.#o.logger.info('the spool is empty: events go to Kafka again', { partition: this.#o.partition })
        this.#spooling = false
        this.#holds = false
      }
    }
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0 && !this.#spooling) await this.#send(this.#take())
    this.#sending = false
    const rest = this.#queue.splice(0)
    if (rest.length > 0) this.#divert(rest)
  }

  async #send(waiting: readonly Waiting[]): Promise<void> {
    const { partition, logger } = this.#o
    try {
      const ranges = await this.#write(waiting.map(({ entry }) => entry))
      for (const [i, { resolve }] of waiting.entries()) resolve(ranges[i])
    } catch (error) {
      logger.warn('Kafka does not take events; they are kept here', { partition, error: messageOf(error) })
      this.#spooling = true
      this.#divert([...waiting, ...this.#queue.splice(0)])
    }
  }

  #write(records: readonly Outgoing[]): Promise<LogRange[]> {
    const { partition, producer, encode } = this.#o
    return write(partition, records, encode, (messages) => producer.send(partition, messages))
  }

  #take(): Waiting[] {
    let bytes = 0
    let n = 0
    while (n < this.#queue.length && n < maxSendRecords && (n === 0 || bytes <= maxSendBytes)) {
      bytes += this.#queue[n++]!.entry.bytes.length
    }
    return this.#queue.splice(0, n)
  }

  #divert(waiting: readonly Waiting[]): void {
    // Not handed over: kafkajs may still send them, whatever we have heard, and would find them empty.
    this.#spool(waiting.map(({ entry }) => ({ ...entry, transfer: false }))).then(
      () => {
        for (const one of waiting) one.resolve(undefined)
      },
      (error: unknown) => {
        for (const one of waiting) one.reject(error)
      },
    )
  }

  async #spool(entries: readonly LogAppend[]): Promise<undefined> {
    this.#o.reserve(entries.reduce((sum, entry) => sum + entry.bytes.length, 0))
    this.#holds = true
    this.#entering++
    try {
      await this.#o.spool.append(entries, spoolCall)
    } finally {
      this.#entering--
    }
  }
}

/** An append that is under way is finished, whoever leaves meanwhile. */
const spoolCall = {
  tenant: 'system',
  principal: 'system',
  signal: new AbortController().signal,
  deadline: Number.POSITIVE_INFINITY,
}
