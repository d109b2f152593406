import { cloudEventText, decodeRow } from '@splitstream/ingest/contract'
import { AppError, type Call, ClickHouseError, type LogRecord } from '@splitstream/kernel'
import { damagedCode } from '../adapters/dead-letters.ts'
import type { EventsTable } from '../adapters/events-table.ts'
import type { DeadLetter, Progress, Range } from '../adapters/progress.ts'
import { bodyOf } from '../domain/block.ts'
import type { BlockRow, Rows } from '../domain/rows.ts'
import type { Refusals } from './refusals.ts'

/** A range that was begun before: rows of it that the table has, and what tells a repair's token from the first one. */
export interface Again {
  readonly alreadyStored: number
  /** Part of the token; '' for the same token as the first time. */
  readonly token: string
  /** Part of the token of rows that are not there though theirs is known; another one for each try. */
  readonly nonce: number
}

export interface RangeStore {
  readonly partition: number
  readonly table: EventsTable
  /** Where the range is recorded; a repair keeps no record of its ranges. */
  readonly progress: Pick<Progress, 'split' | 'confirm'>
  readonly refusals: Refusals
  /** The range was gone through before, and is once more because of what is missing. */
  readonly inRepair?: boolean
  /** Told of each dead letter, for metrics and logs. */
  deadLetter(letter: DeadLetter): void
}

/**
 * Inserts the rows of a pending range and confirms it. States of a range:
 *
 *   pending    recorded in Postgres; the insert may or may not have happened. A restart comes back to exactly this range.
 *   stored     the engine has the part (fsynced); a second insert under the same token, or a replay, adds nothing.
 *   confirmed  recorded in Postgres together with the dead letters; the range is never looked at again.
 *
 * A row that the engine cannot take splits the range in two pending halves, each with a token of its own, until the row
 * stands alone and becomes a dead letter. So it costs its block some inserts and never stalls those behind it. Which refusals
 * are a row's, refusals.ts says.
 *
 * @throws ClickHouseError or AppError when the engine or Postgres cannot do it now: the range stays pending.
 */
export async function storeRange(
  store: RangeStore,
  range: Range,
  rows: Rows,
  dead: readonly DeadLetter[],
  call: Call,
  again?: Again,
): Promise<void> {
  const held: Part[] = []
  const part = { range, rows, dead, again }
  // A row that is alone from the beginning waits for others of the partition (replay-pending.ts).
  await storePart({ ...store, ...(rows.length > 1 && { held }) }, part, call)
  for (const one of held) await storePart(store, one, call)
}

/** A pending range, or a part of one that was split. */
interface Part {
  readonly range: Range
  readonly rows: Rows
  readonly dead: readonly DeadLetter[]
  readonly again: Again | undefined
}

interface PartStore extends RangeStore {
  /** Takes single rows that may be to blame: they are tried once more when the engine had its chance to take the others. */
  readonly held?: Part[]
}

async function storePart(store: PartStore, part: Part, call: Call): Promise<void> {
  const { range, rows, dead, again } = part
  if (rows.length > 0) {
    const token = `${store.partition}:${range.first}-${range.last}${again?.token ?? ''}`
    try {
      await store.table.insert(bodyOf(rows), token, call)
      if (again) await insertLost(store, range, rows, `${token}:lost-${again.nonce}`, call)
      store.refusals.taken()
    } catch (error) {
      if (!(error instanceof ClickHouseError)) throw error
      const inRepair = store.inRepair === true
      const meaning = store.refusals.judge(store.partition, range, rows.length, error, inRepair)
      if (meaning === 'split') return storeHalves(store, part, call)
      if (meaning === 'unproven' && store.held) return void store.held.push(part)
      if (meaning !== 'row') throw error
      const letter = letterOf(rows.first!, error)
      store.deadLetter(letter)
      await store.progress.confirm(range, again?.alreadyStored ?? 0, [...dead, letter])
      return
    }
  }
  for (const letter of dead) store.deadLetter(letter)
  await store.progress.confirm(range, (again?.alreadyStored ?? 0) + rows.length, dead)
}

/**
 * After an insert under a token that may have been known: the engine says nothing of that, and a token outlives its rows when their
 * part is damaged, or when replicas gave up its quorum. What is not there is inserted under a token of its own.
 * @throws AppError UNAVAILABLE when it is not there then either
 */
async function insertLost(
  { table, partition }: RangeStore,
  range: Range,
  rows: Rows,
  token: string,
  call: Call,
): Promise<void> {
  const lost = async (): Promise<Rows> =>
    rows.without(await table.storedOffsets(partition, range.first, range.last, call))
  if ((await lost()).length === 0) return
  await table.endInserts(partition, call)
  const rest = await lost()
  if (rest.length === 0) return
  await table.insert(bodyOf(rest), token, call)
  if ((await lost()).length > 0) throw new AppError('UNAVAILABLE', 'ClickHouse does not keep what it was given')
}

/**
 * The halves have tokens of their own, so nothing of the whole may be there or still come: an earlier try of it may run on, and
 * of a block over the end of a month the part of one month may be in before that of the other one failed.
 */
async function storeHalves(store: PartStore, whole: Part, call: Call): Promise<void> {
  const { range, dead, again } = whole
  await store.table.endInserts(store.partition, call)
  const there = await store.table.storedOffsets(store.partition, range.first, range.last, call)
  const rows = whole.rows.without(there)
  const alreadyStored = there.size
  const nonce = again?.nonce ?? 0
  const token = again?.token ?? ''
  if (rows.length < 2)
    return storePart(store, { range, rows, dead, again: { alreadyStored, token: `${token}:rest`, nonce } }, call)
  const [rowsLow, rowsHigh] = rows.halves()
  const middle = rowsHigh.first!.offset - 1
  await store.progress.split(range, middle)
  const isLow = (letter: DeadLetter): boolean => letter.offset <= middle
  const low = { first: range.first, last: middle }
  const high = { first: middle + 1, last: range.last }
  const before = [...there].filter((offset) => offset <= middle).length
  const halves = again !== undefined || alreadyStored > 0
  const part = (stored: number): Again | undefined => (halves ? { alreadyStored: stored, token, nonce } : undefined)
  const deadLow = dead.filter(isLow)
  const deadHigh = dead.filter((letter) => !isLow(letter))
  await storePart(store, { range: low, rows: rowsLow, dead: deadLow, again: part(before) }, call)
  await storePart(store, { range: high, rows: rowsHigh, dead: deadHigh, again: part(alreadyStored - before) }, call)
}

function letterOf(row: BlockRow, error: ClickHouseError): DeadLetter {
  const common = { offset: row.offset, reason: error.message.slice(0, 1000) }
  try {
    const event = decodeRow(row.record, row.index)
    return { ...common, tenant: event.tenant, code: error.type, event: Buffer.from(cloudEventText(event)) }
  } catch (undecodable) {
    if (!(undecodable instanceof RangeError)) throw undecodable
    const { starts, bytes } = row.record
    return { ...common, ...nobodys, event: bytes.subarray(starts[row.index], starts[row.index + 1]) }
  }
}

/** Bytes of which nobody can say whose events they hold: for the operator, whose tenant this is, and by the code for nobody else. */
const nobodys = { tenant: 'default', code: damagedCode }

/** A record whose checksum or form is wrong. */
export function damagedLetter(record: LogRecord): DeadLetter {
  return {
    ...nobodys,
    offset: record.baseOffset,
    reason: `A log record of ${record.count} events failed its checksum, or did not come from ingest; the bytes are kept as found`,
    event: record.bytes,
  }
}
