import { decodeRow, type EventRow } from '@splitstream/ingest/contract'
import type { Call } from '@splitstream/kernel'
import type { EventsTable, StoredIdentity, StoredKey } from '../adapters/events-table.ts'
import { type Block, keyLow } from '../domain/block.ts'
import type { BlockRow, Rows } from '../domain/rows.ts'
import type { Doubt } from './first-verdicts.ts'
import { eachInTurns } from './rows-in-turns.ts'

/**
 * The rows of a block that are not stored yet: the first event of each (tenant, source, id) that is neither earlier in
 * the block nor in the table. The index clears nearly all rows; only the doubtful ones are decoded and looked up.
 */
export async function dropDuplicates(
  block: Block,
  doubtful: readonly Doubt[],
  table: EventsTable,
  call: Call,
): Promise<Rows> {
  if (doubtful.length === 0) return block.rows

  const dropped = new Set<number>()
  const unknown = await withinBlock(block, doubtful, dropped)
  for (const [tenant, candidates] of Map.groupBy(unknown, ({ event }) => event.tenant)) {
    // A retry repeats the event's time, so that it is found by primary key. What is not found is sought by its key alone, which
    // reads the key column of the tenant: when its key is known all the same, and when it came without a time to repeat.
    const timed = candidates.map(({ event }) => ({ tenant, time: event.time, key: event.key }) satisfies StoredKey)
    const stored = identities(await table.findByKeys(tenant, timed, call))
    const elsewhere = candidates.filter(
      ({ event, seen }) => (seen || event.timeAssigned) && !stored.has(identity(event)),
    )
    const keys = elsewhere.map(({ event }) => event.key)
    for (const found of await table.findAnywhere(tenant, keys, call)) stored.add(identity(found))
    for (const { row, event } of candidates) if (stored.has(identity(event))) dropped.add(row.offset)
  }
  return block.rows.without(dropped)
}

interface Candidate extends Doubt {
  readonly event: EventRow
}

/** Drops what repeats an earlier row of the block; returns the doubtful rows that only the table can clear. */
async function withinBlock(block: Block, doubtful: readonly Doubt[], dropped: Set<number>): Promise<Candidate[]> {
  // Half of the key is enough to leave nearly all others out.
  const keys = new Set(doubtful.map(({ row }) => keyLow(row.record, row.index)))
  const doubtAt = new Map(doubtful.map((doubt) => [doubt.row.offset, doubt]))
  const firsts = new Set<string>()
  const unknown: Candidate[] = []
  await eachInTurns(block.rows, (record, index, offset) => {
    if (!keys.has(keyLow(record, index))) return
    const event = decoded({ record, index, offset })
    if (!event) return
    const name = JSON.stringify([event.tenant, event.source, event.id])
    const doubt = doubtAt.get(offset)
    if (firsts.has(name)) dropped.add(offset)
    else if (doubt) unknown.push({ ...doubt, event })
    firsts.add(name)
  })
  return unknown
}

/** Undefined for a row that is malformed: it is nobody's duplicate, and the engine will refuse it. */
function decoded(row: BlockRow): EventRow | undefined {
  try {
    return decodeRow(row.record, row.index)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const identity = (event: StoredIdentity): string => JSON.stringify([event.source, event.id])
const identities = (found: readonly StoredIdentity[]): Set<string> => new Set(found.map(identity))
