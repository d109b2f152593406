import { AppError, type Postgres } from '@splitstream/kernel'

/** The lease of one worker, as the database has it. */
export interface WorkerRow {
  readonly id: number
  /** Fencing number of the sagas that it starts. */
  readonly fence: string
  /** The database's clock, ms since the epoch. */
  readonly now: number
}

const clock = 'extract(epoch FROM clock_timestamp())::float8 * 1000'
const lease = `clock_timestamp() + $2::float8 * interval '1 ms'`

/** Registers a worker for `ttlMs`. */
export async function registerWorker(postgres: Postgres, name: string, ttlMs: number): Promise<WorkerRow> {
  const [row] = await postgres.query<WorkerRow>(
    `INSERT INTO workers (name, expires_at) VALUES ($1, ${lease})
     RETURNING id, nextval('fences') AS fence, ${clock} AS now`,
    [name, ttlMs],
  )
  return row!
}

/** @returns the database's clock. @throws AppError CONFLICT when the worker was declared dead */
export async function renewWorker(postgres: Postgres, id: number, ttlMs: number): Promise<number> {
  const [row] = await postgres.query<{ now: number }>(
    `UPDATE workers SET expires_at = ${lease} WHERE id = $1 RETURNING ${clock} AS now`,
    [id, ttlMs],
    'sagas renew',
  )
  if (!row) throw new AppError('CONFLICT', 'The worker was declared dead')
  return row.now
}

/** Declares workers dead whose lease has expired: without its row a worker can renew no more. @returns how many */
export async function endExpired(postgres: Postgres): Promise<number> {
  const dead = await postgres.query('DELETE FROM workers WHERE expires_at < clock_timestamp() RETURNING 1')
  return dead.length
}

/**
 * Frees the sagas of workers that are dead: each is due at once. Asked again and again, for two reasons. What a dead worker
 * has sent may arrive after its end, and give it sagas once more. And rows that an unfinished transaction of it holds are left
 * for the next time: nobody waits for it.
 * @returns how many are free now
 */
export async function freeOrphans(postgres: Postgres): Promise<number> {
  const freed = await postgres.query(
    `WITH orphan AS MATERIALIZED (
       SELECT tenant, id FROM sagas s
       WHERE owner IS NOT NULL AND NOT EXISTS (SELECT FROM workers w WHERE w.id = s.owner)
       FOR UPDATE OF s SKIP LOCKED
     )
     UPDATE sagas s SET owner = NULL, due_at = clock_timestamp() FROM orphan o WHERE s.tenant = o.tenant AND s.id = o.id
     RETURNING 1`,
    [],
    'sagas orphans',
  )
  return freed.length
}

/** Ends the lease of a worker that stops, and frees its sagas. */
export async function freeWorker(postgres: Postgres, id: number): Promise<void> {
  await postgres.query('DELETE FROM workers WHERE id = $1', [id])
  await freeOrphans(postgres)
}
