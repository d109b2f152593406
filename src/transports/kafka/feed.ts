import { AppError, type LogRecord, type ReadLimits } from '@splitstream/kernel'
import { recordAfter, recordAt } from './places.ts'

/** The consumer of one partition, as its feed steers it. Offsets are Kafka's: they count records. */
export interface Source {
  seek(record: number): void
  pause(): void
  resume(): void
}

/** Records of one fetch, all that the partition has from `from` to `last`. */
export interface Delivery {
  readonly from: number
  readonly last: number
  readonly records: readonly LogRecord[]
  /** Offset after the last record of the partition at the time of the fetch. */
  readonly end: number
}

/** Records `from` to `to - 1`: Kafka deleted them before the lane read them. */
export interface Hole {
  readonly from: number
  readonly to: number
}

/** Bytes that wait for the lane; with more the consumer pauses. What one fetch brings can come on top. */
const enoughBytes = 4 << 20
/** How long a read waits on for a record that is known to be there, ms. */
const knownMs = 5_000

/**
 * Between Kafka's consumer, which pushes what it fetched, and a lane, which pulls records from an offset of its choice.
 *
 *   unread     nothing was asked for yet: what comes is not kept, and the consumer pauses.
 *   following  what comes next in order is kept until the lane takes it; with enough of it the consumer pauses.
 *   seeking    the lane asked for an offset that is not among what is kept: the consumer was told.
 *
 * kafkajs can still bring records from where it stood before a seek, and after the group was formed anew it stands where the
 * group's commit says. So each delivery says where it begins, and one that begins beyond the next record is refused.
 *
 * Kafka deletes records that are old enough whether they were read or not. The lane gets what comes before such a hole, and then
 * an error until it asks for an offset behind it: it is never led across.
 */
export class Feed {
  readonly #source: Source
  #kept: LogRecord[] = []
  #bytes = 0
  /** What the lane reads next, an offset of events; -1 before the first read. */
  #wanted = -1
  /** What the consumer has to bring next. */
  #next = -1
  #end = -1
  /** The first record that the partition still has, as far as is known. */
  #start = 0
  #paused = false
  #wake: (() => void) | undefined

  constructor(source: Source) {
    this.#source = source
  }

  /** The record that a lane waits for and does not get; undefined when none waits. */
  get waitsFor(): number | undefined {
    return this.#wake ? this.#next : undefined
  }

  /** Where the partition ends is known, as of some time. */
  get knowsEnd(): boolean {
    return this.#end >= 0
  }

  /** The delivery would leave records out, as far as we know. */
  leavesOut(delivery: Delivery): boolean {
    return this.#next >= 0 && delivery.from > this.#next
  }

  /** What the lane wanted next and cannot have any more. */
  get hole(): Hole | undefined {
    // The lane may be done with the record that holds its offset.
    const from = Math.max(this.#next, recordAfter(this.#wanted))
    return this.#next >= 0 && this.#start > from ? { from, to: this.#start } : undefined
  }

  /** There are records before `end`, and none before `start` any more. Both are Kafka's offsets. */
  learn(start: number, end: number): void {
    this.#end = Math.max(this.#end, end)
    this.#start = Math.max(this.#start, start)
    if (this.#next >= 0 && !this.hole) this.#next = Math.max(this.#next, start)
    this.#wake?.()
  }

  offer(delivery: Delivery): void {
    this.#end = Math.max(this.#end, delivery.end)
    if (this.#next < 0) return this.#pause()
    if (this.leavesOut(delivery)) return this.hole ? this.#pause() : this.#source.seek(this.#next)
    for (const record of delivery.records) {
      if (recordAt(record.baseOffset) < this.#next) continue
      this.#kept.push(record)
      this.#bytes += record.bytes.length
    }
    this.#next = Math.max(this.#next, delivery.last + 1)
    if (this.#bytes >= enoughBytes) this.#pause()
    this.#wake?.()
  }

  /** The consumer is another one, or joined the group again: it is told anew where to go on. */
  rejoined(): void {
    if (this.#next >= 0) this.#source.seek(this.#next)
    if (this.#paused) this.#source.pause()
    else this.#source.resume()
  }

  /** @see Lane.read. @throws AppError CONFLICT when `from` is not there any more: the lane has to go on from its bounds */
  async read(from: number, limits: ReadLimits, signal: AbortSignal): Promise<LogRecord[]> {
    if (from !== this.#wanted) this.#moveTo(from)
    const begun = performance.now()
    for (;;) {
      const records = this.#take(limits)
      if (records.length === 0 && this.hole) throw deleted(this.hole)
      // A fetch takes its time. What is there all the same is not answered with nothing.
      const waitMs = limits.waitMs + (this.#next < this.#end ? knownMs : 0)
      const ms = begun + waitMs - performance.now()
      if (records.length > 0 || ms <= 0 || signal.aborted) return records
      await this.#arrival(ms, signal)
    }
  }

  #moveTo(from: number): void {
    // What is known to be gone is not asked for: kafkajs would begin anew and commit that.
    const record = this.#start > recordAfter(from) ? recordAt(from) : Math.max(recordAt(from), this.#start)
    const first = this.#kept[0] ? recordAt(this.#kept[0].baseOffset) : this.#next
    this.#wanted = from
    if (first >= 0 && first <= record && record <= this.#next) return
    this.#kept = []
    this.#bytes = 0
    this.#next = record
    if (this.hole) return this.#pause()
    this.#source.seek(record)
    this.#resume()
  }

  #take({ maxEvents, maxBytes }: ReadLimits): LogRecord[] {
    const taken: LogRecord[] = []
    let [events, bytes, used] = [0, 0, 0]
    for (const record of this.#kept) {
      if (record.baseOffset + record.count > this.#wanted) {
        if (taken.length > 0 && (events + record.count > maxEvents || bytes + record.bytes.length > maxBytes)) break
        taken.push(record)
        events += record.count
        bytes += record.bytes.length
      }
      used++
      this.#bytes -= record.bytes.length
    }
    this.#kept = this.#kept.slice(used)
    const last = taken.at(-1)
    if (last) this.#wanted = last.baseOffset + last.count
    if (this.#bytes < enoughBytes && !this.hole) this.#resume()
    return taken
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#source.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#source.resume()
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

const deleted = ({ from, to }: Hole): AppError =>
  new AppError('CONFLICT', `Kafka has deleted the records ${from} to ${to - 1} of the partition before they were read`)
