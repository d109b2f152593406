import { AppError, type Call } from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import { SeenIndex, type TimeKind } from '../domain/seen-index.ts'

/**
 * The seen-index as it was: filled with the keys of the `maxKeys` events that were received last. While the whole table fits,
 * nothing is ever looked up but true retries; otherwise it knows the greatest event time before them in each partition, and what that
 * leaves out.
 */
export async function warmIndex(table: EventsTable, maxKeys: number, call: Call): Promise<SeenIndex> {
  const count = await table.count(call)
  if (count <= maxKeys) {
    const index = new SeenIndex(maxKeys)
    await tellOfKeys(index, 'add', await table.recentKeys(0, call), count)
    return index
  }
  const since = await receivedOfLast(table, maxKeys, call)
  const { inside, before } = await table.windowAt(since, call)
  const index = new SeenIndex(maxKeys, before)
  // Of some partitions it is more than need be, and never less.
  const from = Math.min(...before.values())
  const outside = await table.countRemembered(since, from, call)
  if (outside > 0) await tellOfKeys(index, 'remember', await table.rememberedKeys(since, from, call), outside)
  await tellOfKeys(index, 'add', await table.recentKeys(since, call), inside)
  return index
}

/** An hour, a second and a microsecond, µs. */
const units = [3_600_000_000, 1_000_000, 1]

/**
 * When (µs) the last but `count` event was received: since then it is `count` events at least, and more by one request at most.
 * Found by counting hours, then the seconds of one, then the instants of one: to sort so many would take the engine's memory.
 */
async function receivedOfLast(table: EventsTable, count: number, call: Call): Promise<number> {
  let since = 0
  let until = Number.MAX_SAFE_INTEGER
  let rest = count
  for (const unit of units) {
    for (const { from, n } of await table.countsReceived(since, until, unit, call)) {
      if (n >= rest) {
        since = from
        until = from + unit
        break
      }
      rest -= n
    }
  }
  return since
}

const rowBytes = 21
/** Of so many rows at once the places in the index are readied. */
const pieceBytes = 256 * rowBytes

/**
 * Tells the index of rows of key (u64), time (i64 µs), TimeKind (u8) and partition (u32); a chunk may end within a row.
 * @throws AppError UNAVAILABLE when there are fewer than `expected`: a stream that the engine broke off can end like a whole one,
 * and retries of what it did not tell of would look new
 */
export async function tellOfKeys(
  index: SeenIndex,
  as: 'add' | 'remember',
  chunks: AsyncIterable<Uint8Array>,
  expected: number,
): Promise<void> {
  let count = 0
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = bytes.length - (bytes.length % rowBytes)
    for (let from = 0; from < end; from += pieceBytes) {
      const to = Math.min(end, from + pieceBytes)
      for (let p = from; p < to; p += rowBytes) index.touch(view.getUint32(p, true), view.getUint32(p + 4, true))
      for (let p = from; p < to; p += rowBytes) {
        const time = view.getInt32(p + 12, true) * 2 ** 32 + view.getUint32(p + 8, true)
        const kind = view.getUint8(p + 16) as TimeKind
        index[as](view.getUint32(p, true), view.getUint32(p + 4, true), time, kind, view.getUint32(p + 17, true))
      }
    }
    count += end / rowBytes
    rest = bytes.subarray(end)
  }
  if (rest.length > 0) throw new AppError('UNAVAILABLE', 'the stored keys end in the middle of one')
  if (count < expected) throw new AppError('UNAVAILABLE', `only ${count} of ${expected} stored keys could be read`)
}
