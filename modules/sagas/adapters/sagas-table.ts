import type { Postgres, PostgresTx } from '@splitstream/kernel'
import type { Transition } from '../app/transition.ts'
import type { SagaName } from './saga-rows.ts'

/** A saga as a worker takes it over. */
export interface Claimed {
  readonly id: string
  readonly tenant: string
  readonly name: string
  readonly version: number
  readonly fence: string
  readonly seq: number
  readonly mail: number
  readonly journal: string
}

/** A statement about what is due, as it runs once a second in every process. */
export const dueStatements = {
  // The clock is read by a subquery, so once: by itself it could be another instant for each row, and all that is parked would
  // be read to compare it.
  claim: `WITH due AS MATERIALIZED (
       SELECT tenant, id FROM sagas WHERE due_at <= (SELECT clock_timestamp()) AND owner IS NULL
       ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
     ), fence AS MATERIALIZED (SELECT nextval('fences') AS n)
     UPDATE sagas s SET owner = $1, fence = fence.n, due_at = NULL FROM due, fence
     WHERE s.tenant = due.tenant AND s.id = due.id
     RETURNING s.id, s.tenant, s.name, s.version, s.fence, s.seq, s.mail, s.journal`,
  next: `SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 * 1000 AS ms FROM sagas WHERE due_at IS NOT NULL`,
} as const

/**
 * Takes over sagas that are due and have no owner, those that are due for longest first, under a new fencing number.
 * Workers that claim at the same time get different ones.
 */
export async function claimDue(postgres: Postgres, owner: number, limit: number): Promise<Claimed[]> {
  return await postgres.query<Claimed>(dueStatements.claim, [owner, limit], 'sagas claim')
}

/** ms until a saga without an owner is due, by the database's clock; undefined when none will be. */
export async function nextDueIn(postgres: Postgres): Promise<number | undefined> {
  const [row] = await postgres.query<{ ms: number | null }>(dueStatements.next, [], 'sagas next due')
  return row?.ms ?? undefined
}

/**
 * What became of transitions whose commit is in doubt: those that are written already, and those that can never be, as the
 * saga has another owner. What is neither can be tried again.
 */
export async function settleDoubt(
  postgres: Postgres,
  owner: number,
  group: readonly Transition[],
): Promise<{ written: Map<string, number>; lost: Set<string> }> {
  const rows = await postgres.query<{ id: string; owner: number | null; fence: string; seq: number; mail: number }>(
    `SELECT id, owner, fence, seq, mail FROM sagas JOIN unnest($1::text[], $2::uuid[]) AS g (tenant, id) USING (tenant, id)`,
    [group.map(({ tenant }) => tenant), group.map(({ id }) => id)],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  const written = new Map<string, number>()
  const lost = new Set<string>()
  for (const { id, fence, seq } of group) {
    const row = byId.get(id)
    if (!row) continue
    // Our own transition is the only one with this number under our fence.
    if (row.seq > seq && row.fence === fence) written.set(id, row.mail)
    else if (row.fence !== fence || row.owner !== owner) lost.add(id)
  }
  return { written, lost }
}

/** The saga that a key has made. */
export async function startedBy(postgres: Postgres, key: Uint8Array): Promise<string | undefined> {
  const [row] = await postgres.query<{ saga_id: string }>('SELECT saga_id FROM starts WHERE key = $1', [
    Buffer.from(key),
  ])
  return row?.saga_id
}

/** The sagas that these keys have made. */
export async function startedByAny(postgres: Postgres, keys: readonly Uint8Array[]): Promise<string[]> {
  const rows = await postgres.query<{ saga_id: string }>('SELECT saga_id FROM starts WHERE key = ANY($1::bytea[])', [
    keys.map((key) => Buffer.from(key)),
  ])
  return rows.map(({ saga_id }) => saga_id)
}

/** False for one that was never made, or whose time is over. */
export async function isKept(postgres: Postgres, tenant: string, id: string): Promise<boolean> {
  return (await postgres.query('SELECT 1 FROM sagas WHERE tenant = $1 AND id = $2', [tenant, id])).length > 0
}

/**
 * Locks the rows of sagas in the order of their ids: as everybody does who writes to several, and before what belongs to them
 * (waits, locks), so that no two wait for each other.
 */
export async function lockSagas(tx: PostgresTx, sagas: readonly SagaName[]): Promise<void> {
  await tx.query(
    `SELECT FROM sagas s JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::uuid[]) AS l (tenant, id)) l USING (tenant, id)
     ORDER BY s.id FOR UPDATE OF s`,
    [sagas.map(({ tenant }) => tenant), sagas.map(({ id }) => id)],
    'sagas lock',
  )
}

/** Gives a saga free that went wrong; it is due after `ms`, and says why. Nothing happens when it has another owner by now. */
export async function giveBack(
  postgres: Postgres,
  { tenant, id, fence }: { readonly tenant: string; readonly id: string; readonly fence: string },
  ms: number,
  problem: string,
): Promise<void> {
  await postgres.query(
    `UPDATE sagas SET owner = NULL, due_at = clock_timestamp() + $4::float8 * interval '1 ms', problem = $5
     WHERE tenant = $1 AND id = $2 AND fence = $3 AND owner IS NOT NULL`,
    [tenant, id, fence, ms, problem],
  )
}

/** One state of a saga: with another owner it has another fencing number, and with each transition another count. */
export type SagaVersion = Pick<Claimed, 'tenant' | 'id' | 'fence' | 'seq'>

/** All sagas of a worker, as Postgres has them. */
export async function ownedBy(postgres: Postgres, owner: number): Promise<SagaVersion[]> {
  return await postgres.query<SagaVersion>(
    'SELECT tenant, id, fence, seq FROM sagas WHERE owner = $1',
    [owner],
    'sagas owned',
  )
}

/** Gives sagas free that the worker owns and does not run. Nothing happens to those that have changed since they were looked at. */
export async function freeStrays(postgres: Postgres, owner: number, found: readonly SagaVersion[]): Promise<void> {
  const strays = found.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  await postgres.query(
    `UPDATE sagas s SET owner = NULL, due_at = clock_timestamp()
     FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::integer[]) AS n (tenant, id, fence, seq)
     WHERE s.tenant = n.tenant AND s.id = n.id AND s.fence = n.fence AND s.seq = n.seq AND s.owner = $1`,
    [
      owner,
      strays.map(({ tenant }) => tenant),
      strays.map(({ id }) => id),
      strays.map(({ fence }) => fence),
      strays.map(({ seq }) => seq),
    ],
  )
}

/** Puts a journal that says the same in fewer words in the place of the one that was read, if nobody has added to it. */
export async function rewriteJournal(
  postgres: Postgres,
  { tenant, id, fence, seq }: SagaVersion,
  journal: string,
): Promise<void> {
  await postgres.query('UPDATE sagas SET journal = $5 WHERE tenant = $1 AND id = $2 AND fence = $3 AND seq = $4', [
    tenant,
    id,
    fence,
    seq,
    journal,
  ])
}
