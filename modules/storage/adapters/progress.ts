import { AppError, type Postgres } from '@splitstream/kernel'

/** Offsets first … last, inclusive. */
export interface Range {
  readonly first: number
  readonly last: number
}

/** An event that was acknowledged and cannot be stored. */
export interface DeadLetter {
  readonly tenant: string
  readonly offset: number
  readonly code: string
  readonly reason: string
  readonly event: Uint8Array
}

/**
 * The durable record of how far one partition is stored, as its present owner sees it. Every write carries the epoch that
 * `claim` drew, and is refused once another consumer has claimed the partition (fencing).
 */
export interface Progress {
  readonly next: number
  /** Rows of the partition that are confirmed to be in the table. */
  readonly stored: number
  readonly pending: readonly Range[]
  begin(range: Range): Promise<void>
  /** Cuts a pending range in two, so that each half is inserted under a token of its own. */
  split(range: Range, middle: number): Promise<void>
  /** The range is done: `rows` of it are in the table, `dead` are dead letters, the rest were duplicates. */
  confirm(range: Range, rows: number, dead: readonly DeadLetter[]): Promise<void>
  /** The range is done: `rows` of it are in the table, and the log has deleted the rest, which is on record as a loss. */
  lose(range: Range, rows: number): Promise<void>
  /** Dead letters of a range that is not pending. */
  bury(dead: readonly DeadLetter[]): Promise<void>
  /** `missing` rows are noted as lost until they are found again, in the note of an interrupted repair if there is one. */
  noteLoss(missing: number): Promise<void>
  /** The repair is over: `actual` rows are there, `missing` are lost. A loss of none leaves no note. */
  settleLoss(actual: number, missing: number): Promise<void>
}

export async function claimProgress(postgres: Postgres, partition: number): Promise<Progress> {
  const [row] = await postgres.query<{ epoch: string; next_offset: string; stored_rows: string }>(
    `INSERT INTO progress (log_partition, epoch) VALUES ($1, 1)
     ON CONFLICT (log_partition) DO UPDATE SET epoch = progress.epoch + 1
     RETURNING epoch, next_offset, stored_rows`,
    [partition],
  )
  const pending = await postgres.query<{ first_offset: string; last_offset: string }>(
    'SELECT first_offset, last_offset FROM pending WHERE log_partition = $1 ORDER BY first_offset',
    [partition],
  )
  const epoch = row!.epoch
  let stored = Number(row!.stored_rows)

  /**
   * One statement, which writes if this owner is still the owner, and keeps a new claim out until it is over. Never more than one:
   * a process that froze between two would hold the row, and with it the partition, for as long as Postgres lets it.
   */
  const fenced = async (writes: string, values: readonly unknown[] = []): Promise<void> => {
    const owner = 'SELECT FROM progress WHERE log_partition = $1 AND epoch = $2 FOR UPDATE'
    const text = `WITH owner AS (${owner}), ${writes} SELECT 1 FROM owner`
    const owned = await postgres.query(text, [partition, epoch, ...values])
    if (owned.length === 0) throw new AppError('CONFLICT', `Partition ${partition} has another owner now`)
  }

  return {
    next: Number(row!.next_offset),
    get stored() {
      return stored
    },
    pending: pending.map((p) => ({ first: Number(p.first_offset), last: Number(p.last_offset) })),
    begin: ({ first, last }) => fenced(insertPending, [first, last]),
    split: ({ first, last }, middle) => fenced(splitPending, [first, last, middle]),
    confirm: async ({ first, last }, rows, dead) => {
      if (dead.length === 0) await fenced(done, [first, last, rows])
      else await fenced(`${done}, ${insertDeadLetters(6)}`, [first, last, rows, ...deadLetterValues(dead)])
      stored += rows
    },
    lose: async ({ first, last }, rows) => {
      await fenced(`${done}, ${insertLostRange}`, [first, last, rows])
      stored += rows
    },
    bury: (dead) => fenced(insertDeadLetters(3), deadLetterValues(dead)),
    noteLoss: (missing) => fenced(noteLoss, [missing]),
    settleLoss: async (actual, missing) => {
      const settled = missing === 0 ? deleteLoss : settleLoss
      await fenced(`${setStored}, ${settled}`, missing === 0 ? [actual] : [actual, missing])
      stored = actual
    },
  }
}

/* Parts of fenced statements: $1 is the partition, $2 the epoch. They see the table as it was before the statement. */

const insertPending = `begun AS (
  INSERT INTO pending (log_partition, first_offset, last_offset) SELECT $1, $3, $4 FROM owner)`

const splitPending = `low AS (
  UPDATE pending SET last_offset = $5 FROM owner
  WHERE log_partition = $1 AND first_offset = $3 AND last_offset = $4 RETURNING log_partition),
high AS (
  INSERT INTO pending (log_partition, first_offset, last_offset) SELECT log_partition, $5::bigint + 1, $4 FROM low)`

const done = `gone AS (
  DELETE FROM pending USING owner WHERE log_partition = $1 AND first_offset = $3),
moved AS (
  UPDATE progress SET next_offset = greatest(next_offset, $4::bigint + 1), stored_rows = stored_rows + $5
  FROM owner WHERE log_partition = $1)`

const insertLostRange = `lost AS (
  INSERT INTO losses (log_partition, first_offset, last_offset, settled_at) SELECT $1, $3, $4, now() FROM owner)`

const openLoss = 'log_partition = $1 AND settled_at IS NULL'

const noteLoss = `open AS (
  UPDATE losses SET missing = $3 FROM owner WHERE ${openLoss} RETURNING id),
noted AS (
  INSERT INTO losses (log_partition, missing) SELECT $1, $3 FROM owner WHERE NOT EXISTS (SELECT FROM open))`

const setStored = 'set_stored AS (UPDATE progress SET stored_rows = $3 FROM owner WHERE log_partition = $1)'
const deleteLoss = `settled AS (DELETE FROM losses USING owner WHERE ${openLoss})`
const settleLoss = `settled AS (UPDATE losses SET missing = $4, settled_at = now() FROM owner WHERE ${openLoss})`

/** @param from the number of the first of their values */
const insertDeadLetters = (from: number): string => {
  const [tenants, offsets, codes, reasons, starts, lengths, events] = Array.from(
    { length: 7 },
    (_, i) => `$${from + i}`,
  )
  return `buried AS (
  INSERT INTO dead_letters (id, tenant, log_partition, log_offset, code, reason, event)
  SELECT $1::integer || '-' || at, tenant, $1, at, code, reason, substring(${events}::bytea FROM start FOR length)
  FROM owner, unnest(${tenants}::text[], ${offsets}::bigint[], ${codes}::text[], ${reasons}::text[], ${starts}::integer[],
    ${lengths}::integer[]) AS letters (tenant, at, code, reason, start, length)
  ON CONFLICT (id) DO NOTHING)`
}

/** Their events are one value: as an array they would be sent in hex. */
function deadLetterValues(letters: readonly DeadLetter[]): unknown[] {
  const starts: number[] = []
  let next = 1
  for (const { event } of letters) {
    starts.push(next)
    next += event.length
  }
  return [
    letters.map(({ tenant }) => tenant),
    letters.map(({ offset }) => offset),
    letters.map(({ code }) => code),
    letters.map(({ reason }) => reason),
    starts,
    letters.map(({ event }) => event.length),
    Buffer.concat(letters.map(({ event }) => event)),
  ]
}

/**
 * Confirmed position of every partition, and the rows stored by it. What was stored behind a range that is still pending does not
 * count yet.
 */
export async function readProgress(
  postgres: Postgres,
): Promise<{ partition: number; next: number; storedRows: number }[]> {
  const rows = await postgres.query<{ log_partition: number; next_offset: string; stored_rows: string }>(
    `SELECT log_partition, stored_rows, least(next_offset, (
       SELECT min(first_offset) FROM pending WHERE pending.log_partition = progress.log_partition)) AS next_offset
     FROM progress ORDER BY log_partition`,
  )
  return rows.map((r) => ({
    partition: r.log_partition,
    next: Number(r.next_offset),
    storedRows: Number(r.stored_rows),
  }))
}
