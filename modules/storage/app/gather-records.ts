import type { Clock, Lane, LogRecord } from '@splitstream/kernel'
import type { Confirmed } from './confirmed.ts'

export interface GatherLimits {
  /** Events and bytes of one block. */
  readonly maxEvents: number
  readonly maxBytes: number
  /** How long the first event of a small block waits for company, ms. */
  readonly lingerMs: number
}

/** How long an idle lane sleeps before it looks whether it is still wanted, ms. */
const idleWaitMs = 1_000

/**
 * The records of the next block: everything from `next` on until the block is full or its first event has waited for
 * `lingerMs`, or somebody waits for it to be stored. Few large inserts instead of many small ones (each makes a part).
 */
export async function gatherRecords(
  lane: Lane,
  next: number,
  deps: { readonly clock: Clock; readonly confirmed: Confirmed; readonly limits: GatherLimits },
): Promise<LogRecord[]> {
  const { maxEvents, maxBytes, lingerMs } = deps.limits
  const hurry = new AbortController()
  deps.confirmed.onHurry(lane.partition, () => hurry.abort())

  const records = await lane.read(next, { maxEvents, maxBytes, waitMs: idleWaitMs })
  const first = records[0]
  if (!first) return []
  const pause = lingerMs - (deps.clock.now() - first.appendedAt)
  if (pause <= 0 || isFull(records, maxEvents, maxBytes)) return records
  // Aborted means: go on at once.
  await deps.clock.sleep(Math.min(pause, lingerMs), AbortSignal.any([lane.signal, hurry.signal])).catch(() => undefined)

  const last = records.at(-1)!
  const rest = {
    maxEvents: maxEvents - eventsOf(records),
    maxBytes: maxBytes - sizeOf(records),
    waitMs: 0,
  }
  if (rest.maxEvents <= 0 || rest.maxBytes <= 0) return records
  // What is there already is stored, whatever comes after it: it may be deleted from the log by now.
  const more = await lane.read(last.baseOffset + last.count, rest).catch(() => [])
  return [...records, ...more]
}

/** Not the distance of offsets: a log may have gaps between its records. */
const eventsOf = (records: readonly LogRecord[]): number => records.reduce((sum, record) => sum + record.count, 0)

const sizeOf = (records: readonly LogRecord[]): number => records.reduce((sum, record) => sum + record.bytes.length, 0)

function isFull(records: readonly LogRecord[], maxEvents: number, maxBytes: number): boolean {
  return eventsOf(records) >= maxEvents * 0.8 || sizeOf(records) >= maxBytes * 0.8
}
