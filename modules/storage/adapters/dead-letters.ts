import type { Postgres } from '@splitstream/kernel'
import { piecesOf } from '../domain/pieces.ts'

export interface DeadLetterView {
  readonly id: string
  readonly code: string
  readonly reason: string
  readonly failedAt: string
  readonly replayedAt: string | null
  readonly partition: number
  readonly offset: number
  /** As received; a JSON CloudEvent unless the code is LOG_CORRUPT. */
  readonly event: Buffer
}

/** A dead letter without its event, which has so many bytes. */
export interface DeadLetterSize {
  readonly id: string
  readonly code: string
  readonly bytes: number
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetterView[]
  /** Where the next page begins; null on the last one. */
  readonly next: string | null
}

interface Row {
  id: string
  code: string
  reason: string
  failed_at: Date
  replayed_at: Date | null
  log_partition: number
  log_offset: string
  event: Buffer
}

/** Events that are in memory at once, bytes: of a page, and of a piece of a replay. A larger one stands alone. */
export const pieceBytes = 8 << 20

const columns = 'id, code, reason, failed_at, replayed_at, log_partition, log_offset, event'

/** The code of what is no event: bytes of the log that were damaged. */
export const damagedCode = 'LOG_CORRUPT'

/** Who asks for dead letters. */
export interface LetterReader {
  readonly tenant: string
  /** Damaged bytes may be of any tenant's events: only the operator sees them. */
  readonly operator: boolean
}

/** What a reader may know of: $1 is its tenant, $2 says whether it is the operator. */
const readable = `tenant = $1 AND ($2::boolean OR code <> '${damagedCode}')`

/** The dead letters of a tenant, with the damaged ones for the operator. */
export class DeadLetters {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /**
   * Newest first, from where a page with this `next` ended, whatever was deleted meanwhile: `limit` of them at most, or as many as are
   * `pieceBytes` in all.
   */
  async list(
    { tenant, operator }: LetterReader,
    o: { limit: number; code?: string; before?: string },
  ): Promise<DeadLetterPage> {
    const place = o.before === undefined ? undefined : placeIn(o.before)
    const sizes = await this.#postgres.query<DeadLetterSize & { micros: string }>(
      `SELECT id, code, octet_length(event) AS bytes, (extract(epoch FROM failed_at) * 1000000)::bigint AS micros
       FROM dead_letters
       WHERE ${readable} AND ($3::text IS NULL OR code = $3)
         AND ($4::bigint IS NULL OR (failed_at, id) < (to_timestamp(0) + $4 * interval '1 microsecond', $5))
       ORDER BY failed_at DESC, id DESC LIMIT $6`,
      [tenant, operator, o.code ?? null, place?.micros ?? null, place?.id ?? null, o.limit],
    )
    const [page = []] = piecesOf(sizes, pieceBytes)
    const sql = `SELECT ${columns} FROM dead_letters WHERE ${readable} AND id = ANY($3) ORDER BY failed_at DESC, id DESC`
    const rows = await this.#postgres.query<Row>(sql, [tenant, operator, page.map(({ id }) => id)])
    const isLast = page.length === sizes.length && sizes.length < o.limit
    const last = page.at(-1)
    return { letters: rows.map(viewOf), next: isLast || !last ? null : `${last.micros}-${last.id}` }
  }

  async get({ tenant, operator }: LetterReader, id: string): Promise<DeadLetterView | undefined> {
    const sql = `SELECT ${columns} FROM dead_letters WHERE ${readable} AND id = $3`
    const [row] = await this.#postgres.query<Row>(sql, [tenant, operator, id])
    return row && viewOf(row)
  }

  /** Those of `ids` that are the reader's. */
  async find({ tenant, operator }: LetterReader, ids: readonly string[]): Promise<DeadLetterSize[]> {
    const sql = `SELECT id, code, octet_length(event) AS bytes FROM dead_letters
      WHERE ${readable} AND id = ANY($3) ORDER BY id`
    return await this.#postgres.query<DeadLetterSize>(sql, [tenant, operator, ids])
  }

  /** Their events, in the same order. */
  async events({ tenant, operator }: LetterReader, ids: readonly string[]): Promise<Buffer[]> {
    const sql = `SELECT event FROM dead_letters WHERE ${readable} AND id = ANY($3) ORDER BY id`
    return (await this.#postgres.query<{ event: Buffer }>(sql, [tenant, operator, ids])).map(({ event }) => event)
  }

  async markReplayed({ tenant, operator }: LetterReader, ids: readonly string[]): Promise<void> {
    const sql = `UPDATE dead_letters SET replayed_at = now() WHERE ${readable} AND id = ANY($3)`
    await this.#postgres.query(sql, [tenant, operator, ids])
  }

  /** True when there was one. */
  async remove({ tenant, operator }: LetterReader, id: string): Promise<boolean> {
    const sql = `DELETE FROM dead_letters WHERE ${readable} AND id = $3 RETURNING id`
    return (await this.#postgres.query(sql, [tenant, operator, id])).length === 1
  }
}

/** Where a page ends: when its last letter failed, µs, and the id. That letter itself may be gone when the next page is asked for. */
export const placePattern = /^\d{1,18}-\d{1,10}-\d{1,18}$/

function placeIn(next: string): { micros: string; id: string } {
  const cut = next.indexOf('-')
  return { micros: next.slice(0, cut), id: next.slice(cut + 1) }
}

function viewOf(row: Row): DeadLetterView {
  return {
    id: row.id,
    code: row.code,
    reason: row.reason,
    failedAt: row.failed_at.toISOString(),
    replayedAt: row.replayed_at?.toISOString() ?? null,
    partition: row.log_partition,
    offset: Number(row.log_offset),
    event: row.event,
  }
}
