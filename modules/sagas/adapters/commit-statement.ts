import type { PostgresTx } from '@splitstream/kernel'
import { isStart, type Start, type Transition } from '../app/transition.ts'

/**
 * All transitions of a group commit in one statement: a round trip and a sync for dozens of sagas. Starts whose key made a
 * saga before make nothing; transitions of sagas that have another owner by now change nothing. What was written comes back.
 * Two processes that start with the same key at the same instant: one is refused by the unique key (CONFLICT), and finds the
 * other's saga when it tries again. ON CONFLICT would do without, and log 48 bytes more for each row.
 *
 * The owner is compared by IS NOT DISTINCT FROM, for which no index is used: by "sagas of this owner" all that it holds would
 * be read for each one that moves.
 */
export const statement = (table: string) => `
WITH once AS (
  INSERT INTO starts (key, saga_id, event)
  SELECT n.key, n.id, n.event FROM unnest($2::bytea[], $3::uuid[], $25::boolean[]) AS n (key, id, event)
  WHERE n.key IS NOT NULL AND NOT EXISTS (SELECT FROM starts s WHERE s.key = n.key)
  RETURNING saga_id
), started AS (
  INSERT INTO ${table} (id, version, tenant, name, fence, owner, due_at, ended_at, status, seq, problem, journal)
  SELECT n.id, n.version, n.tenant, n.name, n.fence, CASE WHEN n.held THEN $1::integer END,
    to_timestamp(n.due / 1000), to_timestamp(n.ended / 1000), n.status, 1, n.problem, n.lines
  FROM unnest($2::bytea[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::boolean[], $9::float8[],
    $10::float8[], $11::text[], $12::text[], $13::text[])
    AS n (key, id, version, tenant, name, fence, held, due, ended, status, problem, lines)
  WHERE (n.key IS NULL OR n.id IN (SELECT saga_id FROM once))
    AND NOT EXISTS (SELECT FROM ${table} s WHERE s.tenant = n.tenant AND s.id = n.id)
  RETURNING id, mail
), moved AS (
  UPDATE ${table} s SET
    owner = CASE WHEN n.held THEN s.owner END,
    due_at = CASE WHEN n.held THEN NULL WHEN s.mail > n.seen THEN clock_timestamp() ELSE to_timestamp(n.due / 1000) END,
    ended_at = CASE WHEN n.ended IS NOT NULL THEN coalesce(s.ended_at, to_timestamp(n.ended / 1000)) END,
    status = n.status, seq = s.seq + 1, problem = n.problem, journal = n.lines || s.journal
  FROM unnest($14::text[], $15::uuid[], $16::bigint[], $17::integer[], $18::boolean[], $19::float8[], $20::float8[],
    $21::text[], $22::text[], $23::text[], $24::integer[])
    AS n (tenant, id, fence, seq, held, due, ended, status, problem, lines, seen)
  WHERE s.tenant = n.tenant AND s.id = n.id AND s.fence = n.fence AND s.seq = n.seq
    AND s.owner IS NOT DISTINCT FROM $1::integer
  RETURNING s.id, s.mail
)
SELECT id, mail FROM started UNION ALL SELECT id, mail FROM moved`

/**
 * @param table the table of all sagas, or the partition that has all of these: then Postgres plans and locks only that one
 * @returns the sagas whose transition was written, each with the count of messages ever sent to it
 */
export async function writeTransitions(
  tx: PostgresTx,
  table: string,
  owner: number,
  group: readonly Transition[],
): Promise<Map<string, number>> {
  const starts = group.filter(isStart)
  const moves = group.filter((one) => !isStart(one))
  const values = [owner, ...startColumns(starts), ...moveColumns(moves), starts.map(({ event }) => event)]
  const rows = await tx.query<{ id: string; mail: number }>(statement(table), values, `commit to ${table}`)
  return new Map(rows.map(({ id, mail }) => [id, mail]))
}

function startColumns(starts: readonly Start[]): unknown[] {
  return [
    starts.map(({ key }) => (key ? Buffer.from(key) : null)),
    starts.map(({ id }) => id),
    starts.map(({ version }) => version),
    starts.map(({ tenant }) => tenant),
    starts.map(({ name }) => name),
    starts.map(({ fence }) => fence),
    starts.map(isHeld),
    starts.map(dueOf),
    starts.map(({ endedAt }) => endedAt),
    starts.map(({ status }) => status),
    starts.map(({ problem }) => problem),
    starts.map(({ lines }) => lines),
  ]
}

function moveColumns(moves: readonly Transition[]): unknown[] {
  return [
    moves.map(({ tenant }) => tenant),
    moves.map(({ id }) => id),
    moves.map(({ fence }) => fence),
    moves.map(({ seq }) => seq),
    moves.map(isHeld),
    moves.map(dueOf),
    moves.map(({ endedAt }) => endedAt),
    moves.map(({ status }) => status),
    moves.map(({ problem }) => problem),
    moves.map(({ lines }) => lines),
    moves.map(({ mailSeen }) => mailSeen),
  ]
}

const isHeld = ({ release }: Transition): boolean => release === undefined
const dueOf = ({ release }: Transition): number | null => release?.dueAt ?? null
