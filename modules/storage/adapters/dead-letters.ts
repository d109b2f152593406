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

/** The dead letters of a tenant. */
export class DeadLetters {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** Newest first, below the letter with the id `before`: `limit` of them at most, or as many as are `pieceBytes` in all. */
  async list(tenant: string, o: { limit: number; code?: string; before?: string }): Promise<DeadLetterPage> {
    const sizes = await this.#postgres.query<DeadLetterSize>(
      `SELECT id, code, octet_length(event) AS bytes FROM dead_letters
       WHERE tenant = $1 AND ($2::text IS NULL OR code = $2)
         AND ($3::text IS NULL OR (failed_at, id) < (SELECT failed_at, id FROM dead_letters WHERE tenant = $1 AND id = $3))
       ORDER BY failed_at DESC, id DESC LIMIT $4`,
      [tenant, o.code ?? null, o.before ?? null, o.limit],
    )
    const [page = []] = piecesOf(sizes, pieceBytes)
    const sql = `SELECT ${columns} FROM dead_letters WHERE tenant = $1 AND id = ANY($2) ORDER BY failed_at DESC, id DESC`
    const rows = await this.#postgres.query<Row>(sql, [tenant, page.map(({ id }) => id)])
    const isLast = page.length === sizes.length && sizes.length < o.limit
    return { letters: rows.map(viewOf), next: isLast ? null : page.at(-1)!.id }
  }

  async get(tenant: string, id: string): Promise<DeadLetterView | undefined> {
    const sql = `SELECT ${columns} FROM dead_letters WHERE tenant = $1 AND id = $2`
    const [row] = await this.#postgres.query<Row>(sql, [tenant, id])
    return row && viewOf(row)
  }

  /** Those of `ids` that are the tenant's. */
  async find(tenant: string, ids: readonly string[]): Promise<DeadLetterSize[]> {
    const sql = `SELECT id, code, octet_length(event) AS bytes FROM dead_letters
      WHERE tenant = $1 AND id = ANY($2) ORDER BY id`
    return await this.#postgres.query<DeadLetterSize>(sql, [tenant, ids])
  }

  /** Their events, in the same order. */
  async events(tenant: string, ids: readonly string[]): Promise<Buffer[]> {
    const sql = 'SELECT event FROM dead_letters WHERE tenant = $1 AND id = ANY($2) ORDER BY id'
    return (await this.#postgres.query<{ event: Buffer }>(sql, [tenant, ids])).map(({ event }) => event)
  }

  async markReplayed(tenant: string, ids: readonly string[]): Promise<void> {
    const sql = 'UPDATE dead_letters SET replayed_at = now() WHERE tenant = $1 AND id = ANY($2)'
    await this.#postgres.query(sql, [tenant, ids])
  }

  /** True when there was one. */
  async remove(tenant: string, id: string): Promise<boolean> {
    const sql = 'DELETE FROM dead_letters WHERE tenant = $1 AND id = $2 RETURNING id'
    return (await this.#postgres.query(sql, [tenant, id])).length === 1
  }
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
