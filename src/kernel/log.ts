import type { Call } from './call.ts'

/**
 * The stream port: an ordered, durable, partitioned log of opaque records (Kreps, "The Log", 2013). One record holds
 * `count` events at the offsets `baseOffset … baseOffset + count - 1`. Offsets grow; between records there may be gaps, and
 * none within one. Adapters: the local log (node:sqlite) and Kafka. Where records are single events, an append of several becomes
 * as many records, one after another.
 */

/**
 * A kind of log numbers its partitions from a multiple of this, the local log from 0, so that an installation that moves from
 * one to another repeats no place: (partition, offset) names one event for good.
 */
export const partitionsPerLog = 1_000

export interface LogAppend {
  readonly partition: number
  /** Events in `bytes`, at least 1. */
  readonly count: number
  readonly bytes: Uint8Array
  /** The caller does not look at `bytes` again: a log may give them to another thread instead of copying them. */
  readonly transfer?: boolean
  /** W3C Trace Context of the append, when it belongs to a sampled trace: its record has the same. */
  readonly traceparent?: string | undefined
}

/** Offsets first … last, inclusive, of one partition: those of the first event and the last. Others may lie between, as gaps may. */
export interface LogRange {
  readonly partition: number
  readonly first: number
  readonly last: number
}

export interface LogRecord {
  readonly partition: number
  readonly baseOffset: number
  readonly count: number
  /** The record's own copy: the reader may write to it. */
  readonly bytes: Uint8Array
  /** Wall clock at append, ms. */
  readonly appendedAt: number
  /** Of its append, when that was traced. For telemetry alone: a log may lose it. */
  readonly traceparent?: string | undefined
  /** True when the stored checksum does not match: `bytes` are as found, and must not be trusted. */
  readonly corrupt: boolean
}

export interface LogWriter {
  /** Number of partitions, fixed for the life of the log. */
  readonly partitions: number
  /**
   * Appends the entries, each to one partition counted from 0, in order within it. Resolves once all are durable (fsynced, or
   * acknowledged by the brokers). The ranges come in the order of the entries; an entry that is durable in this process's
   * spool, and has no place in the log yet, has none. The local log appends all entries or none.
   * @throws AppError INTERNAL (no entries, no such partition or count), CANCELLED, STOPPING, BODY_TOO_LARGE: nothing was
   * appended. OVERLOADED (too many bytes waiting), DISK_FULL, UNAVAILABLE, UNKNOWN_OUTCOME: nothing was acknowledged,
   * though some of it may be in the log. Sending the same events again is safe.
   */
  append(entries: readonly LogAppend[], call: Call): Promise<LogRange[]>
}

export interface ReadLimits {
  readonly maxEvents: number
  readonly maxBytes: number
  /** How long to wait for a first record when there is none, ms. */
  readonly waitMs: number
}

/**
 * One partition, as one consumer of a group holds it. Two consumers of a group never hold the same lane at once; one that stood
 * still may for a moment take a lane for its own that was given away, so effects need a fence of their own, as `commit` has.
 */
export interface Lane {
  readonly partition: number
  /** Aborted when the partition is taken away or the consumer stops. */
  readonly signal: AbortSignal
  /** Offset of the oldest record still kept, and the offset that the next append will get. */
  bounds(): Promise<{ start: number; end: number }>
  /** The group's committed offset, the next one to read; what lies between the two is a gap. 0 when the group is new. */
  committed(): Promise<number>
  /**
   * Whole records from the one that holds `from` on, in offset order, until a limit is reached (always at least one when
   * there is one). Empty after `waitMs` without a record, yet never when `bounds` told of one. Records do not leave the log
   * by being read.
   */
  read(from: number, limits: ReadLimits): Promise<LogRecord[]>
  /**
   * Records that the group is done with everything before `next`. Call it after the effect, never before.
   * @throws AppError UNAVAILABLE when it may not be recorded: also when the lane is not ours any more
   */
  commit(next: number): Promise<void>
  /** Work on what was read goes on, though its commit is not near: for whoever watches that lanes move, when somebody does. */
  working?(): void
}

/** A consumer that the log gives nothing to: since when, monotonic, ms, and why. */
export interface Absence {
  readonly since: number
  readonly why: string
}

export interface Consumption {
  /**
   * Set while this process is out of its consumer group, or is alone in it and gets no partition. A log that has no members of groups
   * has none.
   */
  readonly absence?: Absence | undefined
  /** Ends the lanes and waits until their handlers returned. */
  stop(): Promise<void>
}

export interface LogReader {
  readonly partitions: number
  /**
   * The offset that the next append to a partition will get, as far as this process knows it by itself: nobody was told of an
   * offset that lies beyond. Undefined when it does not, or the partition is another log's.
   */
  end(partition: number): number | undefined
  /**
   * Whether `next` lies among places that a restored log left out: as a position, nothing that is in this log now was answered
   * with it. Not there when a log cannot have been restored.
   */
  isSkipped?(partition: number, next: number): boolean
  /**
   * Joins `group` and runs `lane` for each partition that it is given, until the lane's signal aborts. A lane handler
   * that throws or returns is run again after a pause; nothing is skipped.
   * @throws AppError CONFLICT when the log cannot share the group between consumers and has one, STOPPING
   */
  consume(group: string, lane: (lane: Lane) => Promise<void>): Promise<Consumption>
}

export interface EventLog extends LogWriter, LogReader {}
