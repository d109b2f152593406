import type { Postgres, PostgresTx } from '@splitstream/kernel'

export interface OutboxRow {
  readonly id: string
  readonly tenant: string
  /** CloudEvents JSON. */
  readonly event: string
  /** W3C Trace Context of the turn that emitted it; null when that is not recorded. */
  readonly traceparent: string | null
}

export interface RefusedRow extends OutboxRow {
  /** Of the error catalogue. */
  readonly code: string
  readonly detail: string
}

/** False when another process is at it: one at a time, so that what a saga emits stays in order. Held for the transaction. */
export async function lockOutbox(tx: PostgresTx): Promise<boolean> {
  const [row] = await tx.query<{ mine: boolean }>(
    `SELECT pg_try_advisory_xact_lock(hashtext('splitstream sagas outbox')) AS mine`,
  )
  return row!.mine
}

export async function hasOutbox(postgres: Postgres): Promise<boolean> {
  const sql = 'SELECT EXISTS (SELECT FROM outbox) AS found'
  const [row] = await postgres.query<{ found: boolean }>(sql, [], 'sagas has outbox')
  return row!.found
}

/** The oldest events, until there are `maxEvents` or they have `maxBytes`; one at least, when there is one. */
export async function readOutbox(tx: PostgresTx, maxEvents: number, maxBytes: number): Promise<OutboxRow[]> {
  return await tx.query<OutboxRow>(
    `SELECT id, tenant, event, traceparent FROM (
       SELECT id, tenant, event, traceparent, row_number() OVER oldest AS n, sum(octet_length(event)) OVER oldest AS bytes
       FROM (SELECT * FROM outbox ORDER BY id LIMIT $1) o WINDOW oldest AS (ORDER BY id)
     ) o WHERE n = 1 OR bytes <= $2 ORDER BY id`,
    [maxEvents, maxBytes],
  )
}

export async function removeFromOutbox(tx: PostgresTx, rows: readonly OutboxRow[]): Promise<void> {
  await tx.query('DELETE FROM outbox WHERE id = ANY($1::bigint[])', [rows.map(({ id }) => id)])
}

/** Keeps what ingest will never take, for people to see. */
export async function keepRefused(tx: PostgresTx, rows: readonly RefusedRow[]): Promise<void> {
  await tx.query(
    `INSERT INTO outbox_refused (id, tenant, event, code, detail)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])`,
    [
      rows.map(({ id }) => id),
      rows.map(({ tenant }) => tenant),
      rows.map(({ event }) => event),
      rows.map(({ code }) => code),
      rows.map(({ detail }) => detail),
    ],
  )
}

/** @param before ms since the epoch. @returns how many of them nobody had done anything about */
export async function forgetRefused(postgres: Postgres, before: number): Promise<number> {
  const rows = await postgres.query<{ open: boolean }>(
    'DELETE FROM outbox_refused WHERE refused_at < to_timestamp($1::float8 / 1000) RETURNING settled IS NULL AS open',
    [before],
  )
  return rows.filter(({ open }) => open).length
}
