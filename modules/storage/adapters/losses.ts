import type { Postgres } from '@splitstream/kernel'

/** What nobody has acknowledged yet. */
export interface OpenLosses {
  /** Stored events that are gone, and could not be brought back from the log. */
  readonly events: number
  /** Ranges of the log that it deleted before they were stored. */
  readonly ranges: number
}

/** One row of the record. */
export interface LossView {
  readonly id: string
  readonly partition: number
  /** Stored events that are gone; null for a range, of which nobody knows how many events it held. */
  readonly missing: number | null
  /** Offsets of a range, inclusive; null for stored events. */
  readonly first: number | null
  readonly last: number | null
  readonly noticedAt: string
  readonly acknowledgedAt: string | null
}

/** While a repair runs, nobody knows what it cannot bring back. */
const open = 'settled_at IS NOT NULL AND acknowledged_at IS NULL'
const sums = 'coalesce(sum(missing), 0) AS events, count(*) FILTER (WHERE missing IS NULL) AS ranges'

const toLosses = (row: { events: string; ranges: string } | undefined): OpenLosses => ({
  events: Number(row!.events),
  ranges: Number(row!.ranges),
})

export async function openLosses(postgres: Postgres): Promise<OpenLosses> {
  const rows = await postgres.query<{ events: string; ranges: string }>(`SELECT ${sums} FROM losses WHERE ${open}`)
  return toLosses(rows[0])
}

/** @returns what was acknowledged by it */
export async function acknowledgeLosses(postgres: Postgres): Promise<OpenLosses> {
  const sql = `WITH acknowledged AS (UPDATE losses SET acknowledged_at = now() WHERE ${open} RETURNING missing)
               SELECT ${sums} FROM acknowledged`
  return toLosses((await postgres.query<{ events: string; ranges: string }>(sql))[0])
}

/** The newest first. @param before the id of the last one of the page before */
export async function listLosses(postgres: Postgres, limit: number, before?: string): Promise<LossView[]> {
  const rows = await postgres.query<Row>(
    `SELECT id, log_partition, missing, first_offset, last_offset, noticed_at, acknowledged_at FROM losses
     WHERE settled_at IS NOT NULL AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $1`,
    [limit, before ?? null],
  )
  return rows.map((row) => ({
    id: row.id,
    partition: row.log_partition,
    missing: numberOrNull(row.missing),
    first: numberOrNull(row.first_offset),
    last: numberOrNull(row.last_offset),
    noticedAt: row.noticed_at.toISOString(),
    acknowledgedAt: row.acknowledged_at?.toISOString() ?? null,
  }))
}

interface Row {
  readonly id: string
  readonly log_partition: number
  readonly missing: string | null
  readonly first_offset: string | null
  readonly last_offset: string | null
  readonly noticed_at: Date
  readonly acknowledged_at: Date | null
}

const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text))
