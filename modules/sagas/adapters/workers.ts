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

/**
 * Declares workers dead whose lease has expired, and frees their sagas: each is due at once.
 * @returns how many sagas are free now
 */
export async function freeExpired(postgres: Postgres): Promise<number> {
  const dead = await postgres.query<{ id: number }>('SELECT id FROM workers WHERE expires_at < clock_timestamp()')
  let freed = 0
  for (const { id } of dead) freed += await freeWorker(postgres, id, true)
  return freed
}

/** Ends a lease, which has to be expired if `expired`, and frees the worker's sagas. */
export async function freeWorker(postgres: Postgres, id: number, expired = false): Promise<number> {
  return await postgres.tx(async (tx) => {
    // The row lock keeps a renewal out; without its row the worker can renew no more.
    const gone = await tx.query(
      `DELETE FROM workers WHERE id = $1 AND ($2::boolean IS FALSE OR expires_at < clock_timestamp()) RETURNING id`,
      [id, expired],
    )
    if (gone.length === 0) return 0
    const [row] = await tx.query<{ n: number }>(
      `WITH free AS (UPDATE sagas SET owner = NULL, due_at = clock_timestamp() WHERE owner = $1 RETURNING 1)
       SELECT count(*)::integer AS n FROM free`,
      [id],
    )
    return row!.n
  })
}
