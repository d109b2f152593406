import { flagTimeAssigned } from '@splitstream/ingest/contract'
import { AppError, type Call, type Clock } from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { SeenIndex } from '../domain/seen-index.ts'

const micros = 1_000
const hour = 3_600_000

/**
 * The seen-index as it was: filled from the key column of the most recent events. While the whole table fits, nothing is
 * ever looked up but true retries; otherwise the widest of a few windows that fits, and the greatest event time before it.
 */
export async function warmIndex(table: EventsTable, maxKeys: number, clock: Clock, call: Call): Promise<SeenIndex> {
  let since = 0
  let forgottenUntil = Number.NEGATIVE_INFINITY
  let inside = await table.count(call)
  if (inside > maxKeys) {
    for (const hours of [24 * 30, 24 * 7, 24, 6, 1, 0.1, 0]) {
      since = (clock.now() - hours * hour) * micros
      const window = await table.windowAt(since, call)
      inside = window.inside
      forgottenUntil = window.before
      if (inside <= maxKeys) break
    }
  }
  const index = new SeenIndex(maxKeys, forgottenUntil)
  if (since > 0) {
    await eachKey(await table.untimedKeys(since, call), (low, high) => index.addUntimed(low, high))
  }
  const read = await eachKey(await table.recentKeys(since, call), (low, high, time, untimed) =>
    index.add(low, high, time, untimed),
  )
  // A stream that the engine broke off can end like a whole one; with too few keys, retries would look new.
  if (read < inside) throw new AppError('UNAVAILABLE', `only ${read} of ${inside} stored keys could be read`)
  return index
}

/**
 * What the index knows of each partition. A partition that another process has stored meanwhile comes with events that the
 * index was not told of; they are read in before the lane stores anything, or their retries would look new.
 */
export class Coverage {
  readonly #known: Map<number, number>
  readonly #extending = new Map<number, Promise<void>>()

  /** @param known the offset below which everything was stored, by partition, when the index was about to be filled */
  constructor(known: ReadonlyMap<number, number>) {
    this.#known = new Map(known)
  }

  /** The lane itself told the index of everything before `next`. */
  advance(partition: number, next: number): void {
    this.#known.set(partition, next)
  }

  /** Brings the index up to what is stored of the partition below `next`. Lanes that ask for the same one take turns. */
  async extend(index: SeenIndex, table: EventsTable, partition: number, next: number, call: Call): Promise<void> {
    const before = this.#extending.get(partition)
    const extended = (before ?? Promise.resolve()).then(() => this.#extend(index, table, partition, next, call))
    this.#extending.set(
      partition,
      extended.catch(() => undefined),
    )
    await extended
  }

  async #extend(index: SeenIndex, table: EventsTable, partition: number, next: number, call: Call): Promise<void> {
    const from = this.#known.get(partition) ?? 0
    if (next > from) {
      const expected = await table.countBetween(partition, from, next, call)
      const read = await eachKey(await table.keysBetween(partition, from, next, call), (low, high, time, untimed) =>
        index.add(low, high, time, untimed),
      )
      if (read < expected) throw new AppError('UNAVAILABLE', `only ${read} of ${expected} stored keys could be read`)
    }
    this.#known.set(partition, Math.max(from, next))
  }
}

const rowBytes = 17

/** Rows of key (u64), time (i64 µs) and flags (u8); a chunk may end within a row. */
async function eachKey(
  chunks: AsyncIterable<Uint8Array>,
  found: (low: number, high: number, time: number, untimed: boolean) => unknown,
): Promise<number> {
  let count = 0
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = bytes.length - (bytes.length % rowBytes)
    for (let p = 0; p < end; p += rowBytes) {
      const time = view.getInt32(p + 12, true) * 2 ** 32 + view.getUint32(p + 8, true)
      const untimed = (view.getUint8(p + 16) & flagTimeAssigned) !== 0
      count++
      found(view.getUint32(p, true), view.getUint32(p + 4, true), time, untimed)
    }
    rest = bytes.subarray(end)
  }
  if (rest.length > 0) throw new AppError('UNAVAILABLE', 'the stored keys end in the middle of one')
  return count
}
