import { AppError, type Clock, type Logger, messageOf } from '@splitstream/kernel'
import type { Kafka, Message, Producer, RecordMetadata } from 'kafkajs'
import { type Compression, compressionTypes, kafkaError } from './client.ts'

export interface ProducerOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly compression: Compression
  readonly clock: Clock
  readonly logger: Logger
}

/** How long a send may take, all tries included, ms. Then it counts as failed, whatever becomes of it. */
const sendMs = 4_000

/**
 * kafkajs's producer, with what kafkajs 2.2.4 gets wrong kept out:
 *
 *   - each send goes to one partition, given, and its answer is checked: a send over several can resolve with a part of it
 *     missing when a leader moves (tulios/kafkajs#1303, #1798);
 *   - a producer with a send that failed or never ended is thrown away: its connection may be dead without knowing it
 *     (#1783), and its sequence numbers are in doubt.
 *
 * Idempotent and acks=all. One send at a time for each partition is the caller's part: it keeps the order.
 */
export class KafkaProducer {
  readonly #o: ProducerOptions
  #current: Promise<Producer> | undefined
  #closed = false

  constructor(o: ProducerOptions) {
    this.#o = o
  }

  /**
   * @returns the offset of the first message; the others follow it without a gap
   * @throws AppError UNAVAILABLE: the messages may have been written all the same
   */
  async send(partition: number, messages: readonly Message[]): Promise<string> {
    const producer = this.#producer()
    const late = new AbortController()
    try {
      return await Promise.race([
        producer.then((ready) => this.#sendOn(ready, partition, messages)),
        this.#o.clock.sleep(sendMs, late.signal).then(() => {
          throw new AppError('UNAVAILABLE', `Kafka did not acknowledge within ${sendMs} ms`)
        }),
      ])
    } catch (error) {
      this.#drop(producer)
      throw error instanceof AppError ? error : kafkaError('Kafka did not take a record', error)
    } finally {
      late.abort()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const last = this.#current
    this.#current = undefined
    await last?.then((producer) => producer.disconnect()).catch(() => undefined)
  }

  async #sendOn(producer: Producer, partition: number, messages: readonly Message[]): Promise<string> {
    const { topic, compression } = this.#o
    const sent: RecordMetadata[] = await producer.send({
      topic,
      acks: -1,
      timeout: sendMs - 500,
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

  #producer(): Promise<Producer> {
    if (this.#closed) throw new AppError('STOPPING', 'The producer is closed')
    if (!this.#current) {
      const producer = this.#o.kafka.producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 5 },
      })
      const connecting = producer.connect().then(() => producer)
      connecting.catch(() => undefined)
      this.#current = connecting
    }
    return this.#current
  }

  /** The next send makes a new one. What the old one still has under way may or may not be written. */
  #drop(producer: Promise<Producer>): void {
    if (this.#current === producer) this.#current = undefined
    producer
      .then((old) => old.disconnect())
      .catch((error: unknown) => this.#o.logger.debug('a broken producer', { error: messageOf(error) }))
  }
}
