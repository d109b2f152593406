import { setTimeout as delay } from 'node:timers/promises'
import {
  type Call,
  codeOf,
  type EventLog,
  type Lane,
  type LogRange,
  type LogRecord,
  systemCall,
  systemClock,
  untilAborted,
} from '@splitstream/kernel'
import { failureOf } from '../cases/support.ts'
import { lastWarnings } from '../logs.ts'

export { failureOf }

const deadlineMs = 30_000

export const call = (signal: AbortSignal = new AbortController().signal): Call =>
  systemCall(systemClock, deadlineMs, signal)

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** One record into one partition. @throws Error when it has no place yet, as what waits in a spool */
export async function put(log: EventLog, partition: number, value: string | Uint8Array, count = 1): Promise<LogRange> {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  const [range] = await log.append([{ partition, count, bytes }], call())
  if (!range) throw new Error(`the record went into the spool: ${lastWarnings.join(' | ')}`)
  return range
}

/** Waits until something holds; half a minute at most, for a broker on a busy machine. */
export async function until(holds: () => boolean): Promise<void> {
  const from = performance.now()
  while (!holds()) {
    if (performance.now() - from > deadlineMs) throw new Error(`It never came to this: ${holds}`)
    await delay(5)
  }
}

/** The lanes that a consumer holds, for a case to use from outside of their handlers. */
export interface HeldLanes {
  readonly lanes: ReadonlyMap<number, Lane>
  /** The lane with the number that ranges of its partition have, once it is held. */
  of(partition: number): Promise<Lane>
  stop(): Promise<void>
}

export async function hold(log: EventLog, group: string): Promise<HeldLanes> {
  const lanes = new Map<number, Lane>()
  const consumption = await log.consume(group, async (lane) => {
    const held = patient(lane)
    lanes.set(lane.partition, held)
    await untilAborted(lane.signal)
    if (lanes.get(lane.partition) === held) lanes.delete(lane.partition)
  })
  return {
    lanes,
    of: async (partition) => {
      await until(() => lanes.has(partition))
      return lanes.get(partition)!
    },
    stop: () => consumption.stop(),
  }
}

/** A lane that asks again while nobody answers: brokers on a busy machine may stand still for some seconds. */
const patient = (lane: Lane): Lane => ({
  partition: lane.partition,
  signal: lane.signal,
  bounds: () => answered(lane, () => lane.bounds()),
  committed: () => answered(lane, () => lane.committed()),
  commit: (next) => lane.commit(next),
  read: (from, limits) => lane.read(from, limits),
})

async function answered<T>({ signal }: Lane, ask: () => Promise<T>): Promise<T> {
  for (const from = performance.now(); ; await delay(50)) {
    try {
      return await ask()
    } catch (error) {
      if (codeOf(error) !== 'UNAVAILABLE' || signal.aborted || performance.now() - from > deadlineMs) throw error
    }
  }
}

const plenty = { maxEvents: 1_000_000, maxBytes: 64 << 20, waitMs: 1_000 }

/** Records from `from` on, in as many reads as it takes for `count` of them. */
export async function readRecords(lane: Lane, from: number, count: number, limits = {}): Promise<LogRecord[]> {
  const found: LogRecord[] = []
  const begun = performance.now()
  for (let next = from; found.length < count; ) {
    if (performance.now() - begun > deadlineMs) throw new Error(`Only ${found.length} of ${count} records came`)
    for (const record of await lane.read(next, { ...plenty, ...limits })) {
      found.push(record)
      next = record.baseOffset + record.count
    }
  }
  return found
}

/** All records of a partition, by a group of its own that begins where the log begins. */
export async function readAll(log: EventLog, partition: number, count: number): Promise<LogRecord[]> {
  const held = await hold(log, `reader-${partition}`)
  try {
    const lane = await held.of(partition)
    const { start, end } = await lane.bounds()
    const records = await readRecords(lane, start, count)
    const last = records.at(-1)
    // More than was asked for would lie between the last one and the end.
    if (last && last.baseOffset + last.count < end)
      records.push(...(await lane.read(last.baseOffset + last.count, rest)))
    return records
  } finally {
    await held.stop()
  }
}

const rest = { ...plenty, waitMs: 0 }
