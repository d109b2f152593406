import type { LogRecord, ReadLimits } from '@splitstream/kernel'

interface Delivery {
  readonly records: readonly LogRecord[]
  next: number
  done(): void
}

/*
 * Between Kafka's consumer, which pushes batches, and a lane, which pulls records from an offset of its choice. States:
 *
 *   idle       nothing was asked for yet, or what was delivered is taken.
 *   offered    a batch waits (one: the consumer fetches the next when it is taken). `read` takes from its front.
 *   seeking    the lane asked for another offset than the next one: the consumer is told, and batches from elsewhere are dropped.
 */
export class Feed {
  readonly partition: number
  readonly #seek: (offset: number) => void
  #delivery: Delivery | undefined
  /** Offset that the next record has to have, or lie after; -1 before the first read. */
  #wanted = -1
  #wake: (() => void) | undefined

  constructor(partition: number, seek: (offset: number) => void) {
    this.partition = partition
    this.#seek = seek
  }

  /** The lane waits for something that the consumer does not bring. */
  get waiting(): boolean {
    return this.#wake !== undefined
  }

  get wanted(): number {
    return this.#wanted
  }

  /** A batch came. Resolves when all of it was taken, or is not wanted; rejects never. */
  offer(records: readonly LogRecord[]): Promise<void> {
    this.#delivery?.done()
    this.#delivery = undefined
    const from = records.findIndex((record) => record.baseOffset + record.count > this.#wanted)
    if (this.#wanted < 0 || from < 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#delivery = { records, next: from, done: resolve }
    this.#wake?.()
    return promise
  }

  /** After the group was formed anew the consumer may stand elsewhere. */
  resume(): void {
    this.drop()
    if (this.#wanted >= 0) this.#seek(this.#wanted)
  }

  drop(): void {
    this.#delivery?.done()
    this.#delivery = undefined
  }

  async read(from: number, limits: ReadLimits, signal: AbortSignal): Promise<LogRecord[]> {
    if (from !== this.#wanted) {
      this.drop()
      this.#wanted = from
      this.#seek(from)
    }
    if (!this.#delivery) await this.#arrival(limits.waitMs, signal)
    return this.#take(limits)
  }

  #take({ maxEvents, maxBytes }: ReadLimits): LogRecord[] {
    const taken: LogRecord[] = []
    const delivery = this.#delivery
    let events = 0
    let bytes = 0
    while (delivery && delivery.next < delivery.records.length) {
      const record = delivery.records[delivery.next]!
      if (taken.length > 0 && (events + record.count > maxEvents || bytes + record.bytes.length > maxBytes)) break
      taken.push(record)
      events += record.count
      bytes += record.bytes.length
      delivery.next++
      this.#wanted = record.baseOffset + record.count
    }
    if (delivery && delivery.next === delivery.records.length) this.drop()
    return taken
  }

  #arrival(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || ms <= 0) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      this.#wake = done
    })
  }
}
