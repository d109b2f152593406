import type { Postgres, PostgresTx } from '@splitstream/kernel'

/** A message to a saga, as text of JSON (app/message.ts). */
export interface Letter {
  readonly tenant: string
  readonly to: string
  readonly body: string
}

/** The channel on which workers hear of mail for sagas that they own; the payload is the saga's id. */
export const mailChannel = 'splitstream_sagas_mail'

/**
 * Sends messages: each is kept until the saga takes it in. A saga without an owner becomes due, and one that was due already keeps
 * its place among them; an owner is to be told by `tellOwners` once the transaction is committed.
 * @returns the sagas that got one and have an owner
 */
export async function sendMail(tx: PostgresTx, letters: readonly Letter[]): Promise<string[]> {
  const tenants = letters.map(({ tenant }) => tenant)
  const ids = letters.map(({ to }) => to)
  const bodies = letters.map(({ body }) => body)
  await tx.query('INSERT INTO mail (tenant, saga_id, body) SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[])', [
    tenants,
    ids,
    bodies,
  ])
  // In the order of the ids, so that two that send to the same sagas do not wait for each other.
  const rows = await tx.query<{ id: string; owned: boolean }>(
    `WITH target AS MATERIALIZED (
       SELECT s.tenant, s.id FROM sagas s
       JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::uuid[]) AS l (tenant, id)) l USING (tenant, id)
       ORDER BY s.id FOR UPDATE OF s)
     UPDATE sagas s SET mail = s.mail + 1,
       due_at = CASE WHEN s.owner IS NULL THEN least(s.due_at, clock_timestamp()) ELSE s.due_at END
     FROM target t WHERE s.tenant = t.tenant AND s.id = t.id RETURNING s.id, s.owner IS NOT NULL AS owned`,
    [tenants, ids],
  )
  return rows.filter(({ owned }) => owned).map(({ id }) => id)
}

/** Saves owners in other processes the wait for their next look. One statement, outside of any transaction that matters. */
export async function tellOwners(postgres: Postgres, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await postgres.query('SELECT pg_notify($1, id) FROM unnest($2::text[]) AS id', [mailChannel, ids])
}

export interface Mailbox {
  readonly sagaId: string
  /** Messages ever sent to the saga, as far as this look goes. */
  readonly seen: number
  readonly letters: readonly { readonly id: string; readonly body: string }[]
}

/** What was sent to these sagas and not taken in, oldest first. */
export async function readMail(
  postgres: PostgresTx,
  sagas: readonly { readonly tenant: string; readonly id: string }[],
): Promise<Mailbox[]> {
  const rows = await postgres.query<{ saga: string; seen: number; id: string | null; body: string | null }>(
    `SELECT s.id AS saga, s.mail AS seen, m.id, m.body
     FROM sagas s JOIN unnest($1::text[], $2::uuid[]) AS w (tenant, id) USING (tenant, id)
     LEFT JOIN mail m ON m.saga_id = s.id ORDER BY m.id`,
    [sagas.map(({ tenant }) => tenant), sagas.map(({ id }) => id)],
  )
  return [...Map.groupBy(rows, ({ saga }) => saga)].map(([sagaId, mine]) => ({
    sagaId,
    seen: mine[0]!.seen,
    letters: mine.flatMap(({ id, body }) => (id === null || body === null ? [] : [{ id, body }])),
  }))
}

/** One look for mail is about so many messages at most, and so many bytes: they are read together. */
const [maxLetters, maxBytes] = [1_000, 8 << 20]

/** Sagas of this worker with mail that it may not have heard of; those whose mail is oldest, as far as it can be read at once. */
export async function sagasWithMail(postgres: Postgres, owner: number): Promise<string[]> {
  const rows = await postgres.query<{ id: string; bytes: number }>(
    `SELECT s.id, octet_length(m.body) AS bytes FROM mail m JOIN sagas s ON s.tenant = m.tenant AND s.id = m.saga_id
     WHERE s.owner = $1 ORDER BY m.id LIMIT ${maxLetters}`,
    [owner],
  )
  let left = maxBytes
  const found = new Set<string>()
  for (const { id, bytes } of rows) {
    left -= bytes
    if (left < 0 && found.size > 0) break
    found.add(id)
  }
  return [...found]
}
