import { AppError, type Clock, codeOf, type Metrics } from '@splitstream/kernel'
import type { Kafka, Message, Producer, RecordMetadata } from 'kafkajs'
import { type Compression, compressionTypes, kafkaError } from './client.ts'
import type { Reachability } from './reachability.ts'
import { Throwaway } from './throwaway.ts'

export interface ProducerOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly compression: Compression
  readonly reachability: Reachability
  readonly clock: Clock
  /** How long a send may take, all tries included, ms. Then it counts as failed, whatever becomes of it. Default 4,000. */
  readonly sendMs?: number | undefined
  /** How long sends take, s, by how they fail. */
  readonly seconds?: ReturnType<Metrics['histogram']>
}

/**
 * kafkajs's producer, with what kafkajs 2.2.4 gets wrong kept out:
 *
 *   - each send goes to one partition, given, and its answer is checked: a send over several can resolve with a part of it
 *     missing when a leader moves (tulios/kafkajs#1303, #1798);
 *   - a producer with a send that failed or never ended is thrown away (throwaway.ts): its sequence numbers are in doubt too.
 *
 * Idempotent and acks=all. One send at a time for each partition is the caller's part: it keeps the order.
 */
export class KafkaProducer {
  readonly #o: ProducerOptions
  readonly #sendMs: number
  readonly #producer: Throwaway<Producer>
  #closed = false

  constructor(o: ProducerOptions) {
    this.#o = o
    this.#sendMs = o.sendMs ?? 4_000
    // One more for each 800 ms: refusals that pass, such as those while a leader is elected, are not to end it long before.
    const retries = Math.ceil(this.#sendMs / 800)
    this.#producer = new Throwaway(() =>
      o.kafka.producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        retry: { initialRetryTime: 100, maxRetryTime: 500, retries },
      }),
    )
  }

  /**
   * @returns the offset of the first message; the others follow it without a gap
   * @throws AppError UNAVAILABLE, at once when no broker is there: the messages may have been written all the same
   */
  async send(partition: number, messages: readonly Message[]): Promise<string> {
    const { clock, seconds } = this.#o
    const from = clock.monotonic()
    let failed = ''
    try {
      return await this.#send(partition, messages)
    } catch (error) {
      failed = codeOf(error)
      throw error
    } finally {
      seconds?.observe((clock.monotonic() - from) / 1_000, { 'error.type': failed })
    }
  }

  async #send(partition: number, messages: readonly Message[]): Promise<string> {
    if (this.#closed) throw new AppError('STOPPING', 'The producer is closed')
    const { reachability } = this.#o
    const { lost } = reachability
    if (lost.aborted) throw new AppError('UNAVAILABLE', 'No Kafka broker answers', { retryAfterMs: 1_000 })
    // After a quarter of its time it is asked whether any broker is there.
    const slow = setTimeout(() => reachability.suspect(), this.#sendMs / 4)
    const work = (producer: Producer): Promise<string> => this.#sendOn(producer, partition, messages)
    try {
      return await this.#producer.use(this.#sendMs, 'Kafka did not acknowledge', work, lost)
    } catch (error) {
      reachability.suspect()
      throw error instanceof AppError ? error : kafkaError('Kafka did not take a record', error)
    } finally {
      clearTimeout(slow)
    }
  }

  /** Does ahead what the first send would wait for, which can take seconds on a new cluster. Never throws. */
  async connect(): Promise<void> {
    await this.#producer.use(this.#sendMs, 'Kafka did not answer', async () => undefined).catch(() => undefined)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#producer.close()
  }

  async #sendOn(producer: Producer, partition: number, messages: readonly Message[]): Promise<string> {
    const { topic, compression } = this.#o
    const sent: RecordMetadata[] = await producer.send({
      topic,
      acks: -1,
      timeout: Math.max(1, this.#sendMs - 500),
      compression: compressionTypes[compression],
      messages: messages as Message[],
    })
    const [one] = sent
    const offset = one?.baseOffset
    if (sent.length !== 1 || one?.partition !== partition || one.errorCode !== 0 || !offset || Number(offset) < 0) {
      throw new AppError('UNAVAILABLE', 'Kafka acknowledged something else than what was sent')
    }
    return offset
  }
}
