import { AppError, type Call, type Clock } from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { SeenIndex, type TimeKind } from '../domain/seen-index.ts'

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
    const outside = await table.countRemembered(since, forgottenUntil, call)
    await eachKey(await table.rememberedKeys(since, forgottenUntil, call), outside, (...key) => index.remember(...key))
  }
  await eachKey(await table.recentKeys(since, call), inside, (...key) => index.add(...key))
  return index
}

const rowBytes = 17

/**
 * Rows of key (u64), time (i64 µs) and TimeKind (u8); a chunk may end within a row.
 * @throws AppError UNAVAILABLE when there are fewer than `expected`: a stream that the engine broke off can end like a whole one,
 * and retries of what it did not tell of would look new
 */
export async function eachKey(
  chunks: AsyncIterable<Uint8Array>,
  expected: number,
  found: (low: number, high: number, time: number, kind: TimeKind) => unknown,
): Promise<void> {
  let count = 0
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = bytes.length - (bytes.length % rowBytes)
    for (let p = 0; p < end; p += rowBytes) {
      const time = view.getInt32(p + 12, true) * 2 ** 32 + view.getUint32(p + 8, true)
      count++
      found(view.getUint32(p, true), view.getUint32(p + 4, true), time, view.getUint8(p + 16) as TimeKind)
    }
    rest = bytes.subarray(end)
  }
  if (rest.length > 0) throw new AppError('UNAVAILABLE', 'the stored keys end in the middle of one')
  if (count < expected) throw new AppError('UNAVAILABLE', `only ${count} of ${expected} stored keys could be read`)
}
