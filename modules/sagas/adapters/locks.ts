import type { Postgres, PostgresTx } from '@splitstream/kernel'
import { type Letter, sendMail } from './mail.ts'

/** A key within a tenant that one saga at a time may hold. */
export interface LockKey {
  readonly tenant: string
  readonly key: string
}

/** A key that a saga held. */
export interface FreeLock extends LockKey {
  readonly sagaId: string
}

/** What a saga is told when a lock that it waits for is free. */
export const lockMessage = (step: string): string => JSON.stringify({ kind: 'lock', step })

/** The saga that asks, as its owner has it. */
export interface LockHolder {
  readonly id: string
  readonly fence: string
}

/**
 * Takes the lock for a step, or stands in line. A saga that asks again gets what it has; for one that has ended or has another
 * owner by now nothing happens: it would never let go.
 * @param isHeld another saga seems to hold it: it is first stood in line, and an attempt spared. When that is wrong, the lock is
 * taken all the same
 * @returns the fencing number, greater than that of any holder before; undefined while another saga holds it
 */
export async function acquireLock(
  postgres: Postgres,
  { tenant, key }: LockKey,
  { id, fence }: LockHolder,
  step: string,
  isHeld = false,
): Promise<string | undefined> {
  const values = [tenant, key, id, step, fence]
  const attempt = async () => (await postgres.query<{ fence: string }>(take, values))[0]?.fence
  const first = isHeld ? undefined : await attempt()
  if (first !== undefined) return first
  await postgres.query(standInLine, values)
  // The holder may have let go before that: it tells those who stand in line, and we did not yet.
  return await attempt()
}

/** The row lock keeps the saga from ending in between: its end would let go of what it does not have yet. */
const asOwned = `SELECT $1::text, $2::text, id, $4::text FROM sagas
  WHERE tenant = $1 AND id = $3 AND fence = $5 AND owner IS NOT NULL AND status = 'running' FOR SHARE`
const take = `INSERT INTO locks (tenant, key, saga_id, step) ${asOwned}
  ON CONFLICT (tenant, key) DO UPDATE SET step = locks.step WHERE locks.saga_id = excluded.saga_id RETURNING fence`
const standInLine = `INSERT INTO lock_waiters (tenant, key, saga_id, step) ${asOwned} ON CONFLICT DO NOTHING`

/** Takes a step out of the line that wants its lock no more. */
export async function leaveLine(postgres: Postgres, sagaId: string, step: string): Promise<void> {
  await postgres.query('DELETE FROM lock_waiters WHERE saga_id = $1 AND step = $2', [sagaId, step])
}

export interface Released {
  readonly free: readonly FreeLock[]
  /** What to tell to those who wait for them longest; their rows are locked. */
  readonly letters: readonly Letter[]
  /** The same for those whose rows others have locked: to be sent when the transaction is over, as they may wait for it. */
  readonly late: readonly Letter[]
}

/** Lets go of all that ended sagas hold and wait for. Waits for no saga. */
export async function releaseHoldings(tx: PostgresTx, ids: readonly string[]): Promise<Released> {
  await tx.query('DELETE FROM waits WHERE saga_id = ANY($1::uuid[])', [ids])
  await tx.query('DELETE FROM lock_waiters WHERE saga_id = ANY($1::uuid[])', [ids])
  const sql = 'DELETE FROM locks WHERE saga_id = ANY($1::uuid[]) RETURNING tenant, key, saga_id AS "sagaId"'
  const free = await tx.query<FreeLock>(sql, [ids])
  if (free.length === 0) return { free, letters: [], late: [] }
  const rows = await tx.query<Next & { locked: boolean }>(lockNext, keysOf(free))
  const { letters = [], late = [] } = Object.groupBy(rows, ({ locked }) => (locked ? 'letters' : 'late'))
  return { free, letters: letters.map(letterOf), late: late.map(letterOf) }
}

/** A saga that is being undone, or that needs attention, stays in line until its end, and wants the lock no more. */
const waiters = `lock_waiters w JOIN sagas s ON s.tenant = w.tenant AND s.id = w.saga_id AND s.status = 'running'`

interface Next {
  readonly tenant: string
  readonly saga_id: string
  readonly step: string
}

const nextInLine = `SELECT DISTINCT ON (w.tenant, w.key) w.tenant, w.saga_id, w.step
  FROM ${waiters} JOIN unnest($1::text[], $2::text[]) AS f (tenant, key) ON f.tenant = w.tenant AND f.key = w.key
  ORDER BY w.tenant, w.key, w.id`
const lockNext = `WITH next AS MATERIALIZED (${nextInLine})
  SELECT n.*, s.id IS NOT NULL AS locked FROM next n LEFT JOIN LATERAL (
    SELECT id FROM sagas WHERE tenant = n.tenant AND id = n.saga_id FOR UPDATE SKIP LOCKED) s ON true`

const keysOf = (locks: readonly LockKey[]) => [locks.map(({ tenant }) => tenant), locks.map(({ key }) => key)]
const letterOf = ({ tenant, saga_id, step }: Next): Letter => ({ tenant, to: saga_id, body: lockMessage(step) })

/**
 * Calls those who wait for a lock that nobody holds: the one who was called may have ended, or the holder may have let go just
 * before somebody stood in line. Not a saga that has mail: it may have been called, and nobody has come to it yet.
 */
export async function callWaiters(postgres: Postgres): Promise<string[]> {
  return await postgres.tx(async (tx) => {
    const next = await tx.query<Next>(
      `SELECT n.tenant, n.saga_id, n.step FROM (
         SELECT DISTINCT ON (w.tenant, w.key) w.tenant, w.saga_id, w.step FROM ${waiters}
         WHERE NOT EXISTS (SELECT FROM locks l WHERE l.tenant = w.tenant AND l.key = w.key)
         ORDER BY w.tenant, w.key, w.id) n
       WHERE NOT EXISTS (SELECT FROM mail m WHERE m.saga_id = n.saga_id) LIMIT 1000`,
    )
    return next.length === 0 ? [] : await sendMail(tx, next.map(letterOf))
  })
}

/** Who holds the key, and since when. */
export async function holderOf(
  postgres: Postgres,
  { tenant, key }: LockKey,
): Promise<{ sagaId: string; since: Date } | undefined> {
  const [row] = await postgres.query<{ saga_id: string; granted_at: Date }>(
    'SELECT saga_id, granted_at FROM locks WHERE tenant = $1 AND key = $2',
    [tenant, key],
  )
  return row && { sagaId: row.saga_id, since: row.granted_at }
}
