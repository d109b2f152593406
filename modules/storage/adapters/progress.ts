import { AppError, type Postgres, type PostgresTx } from '@splitstream/kernel'

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

  /** Runs `write` while this owner is still the owner; the row lock keeps a new claim out until the commit. */
  const fenced = (write: (tx: PostgresTx) => Promise<void>): Promise<void> =>
    postgres.tx(async (tx) => {
      const owned = await tx.query('SELECT 1 FROM progress WHERE log_partition = $1 AND epoch = $2 FOR UPDATE', [
        partition,
        epoch,
      ])
      if (owned.length === 0) throw new AppError('CONFLICT', `Partition ${partition} has another owner now`)
      await write(tx)
    })

  const insertPending = 'INSERT INTO pending (log_partition, first_offset, last_offset) VALUES ($1, $2, $3)'
  const deletePending = 'DELETE FROM pending WHERE log_partition = $1 AND first_offset = $2'

  const done = async (tx: PostgresTx, { first, last }: Range, rows: number): Promise<void> => {
    await tx.query(deletePending, [partition, first])
    await tx.query(
      `UPDATE progress SET next_offset = greatest(next_offset, $2), stored_rows = stored_rows + $3
       WHERE log_partition = $1`,
      [partition, last + 1, rows],
    )
  }

  return {
    next: Number(row!.next_offset),
    get stored() {
      return stored
    },
    pending: pending.map((p) => ({ first: Number(p.first_offset), last: Number(p.last_offset) })),
    begin: ({ first, last }) =>
      fenced(async (tx) => {
        await tx.query(insertPending, [partition, first, last])
      }),
    split: ({ first, last }, middle) =>
      fenced(async (tx) => {
        await tx.query(deletePending, [partition, first])
        await tx.query(insertPending, [partition, first, middle])
        await tx.query(insertPending, [partition, middle + 1, last])
      }),
    confirm: async (range, rows, dead) => {
      await fenced(async (tx) => {
        for (const letter of dead) await tx.query(insertDeadLetter, deadLetterValues(partition, letter))
        await done(tx, range, rows)
      })
      stored += rows
    },
    lose: async (range, rows) => {
      await fenced(async (tx) => {
        await tx.query(insertLostRange, [partition, range.first, range.last])
        await done(tx, range, rows)
      })
      stored += rows
    },
    bury: (dead) =>
      fenced(async (tx) => {
        for (const letter of dead) await tx.query(insertDeadLetter, deadLetterValues(partition, letter))
      }),
    noteLoss: (missing) =>
      fenced(async (tx) => {
        const open = await tx.query(`UPDATE losses SET missing = $2 WHERE ${openLoss} RETURNING id`, [
          partition,
          missing,
        ])
        if (open.length > 0) return
        await tx.query('INSERT INTO losses (log_partition, missing) VALUES ($1, $2)', [partition, missing])
      }),
    settleLoss: async (actual, missing) => {
      await fenced(async (tx) => {
        await tx.query('UPDATE progress SET stored_rows = $2 WHERE log_partition = $1', [partition, actual])
        if (missing === 0) await tx.query(`DELETE FROM losses WHERE ${openLoss}`, [partition])
        else
          await tx.query(`UPDATE losses SET missing = $2, settled_at = now() WHERE ${openLoss}`, [partition, missing])
      })
      stored = actual
    },
  }
}

const insertLostRange = `INSERT INTO losses (log_partition, first_offset, last_offset, settled_at)
  VALUES ($1, $2, $3, now())`

const openLoss = 'log_partition = $1 AND settled_at IS NULL'

const insertDeadLetter = `INSERT INTO dead_letters (id, tenant, log_partition, log_offset, code, reason, event)
  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`

function deadLetterValues(partition: number, letter: DeadLetter): unknown[] {
  const id = `${partition}-${letter.offset}`
  return [id, letter.tenant, partition, letter.offset, letter.code, letter.reason, letter.event]
}

/** Confirmed position of every partition, and the rows stored by it. */
export async function readProgress(
  postgres: Postgres,
): Promise<{ partition: number; next: number; storedRows: number }[]> {
  const rows = await postgres.query<{ log_partition: number; next_offset: string; stored_rows: string }>(
    'SELECT log_partition, next_offset, stored_rows FROM progress ORDER BY log_partition',
  )
  return rows.map((r) => ({
    partition: r.log_partition,
    next: Number(r.next_offset),
    storedRows: Number(r.stored_rows),
  }))
}
