import { AppError, type Breaker, codeOf, type Judge } from '@splitstream/kernel'
import type pg from 'pg'
import { toAppError } from './errors.ts'

/**
 * The way to a connection of the pool, behind a breaker: while none can be had, nobody waits for seconds to learn it. What goes
 * on on a connection is not: a transaction may take as long as the locks that it waits for, and leases and progress have to go on,
 * however slowly.
 * @throws AppError as the driver does; nothing was sent
 */
export async function acquire(pool: pg.Pool, breaker: Breaker | undefined): Promise<pg.PoolClient> {
  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect()
    } catch (error) {
      throw toAppError(error, 'none')
    }
  }
  if (!breaker) return await connect()
  let begun = false
  const work = (): Promise<pg.PoolClient> => {
    begun = true
    return connect()
  }
  try {
    return await breaker.run<pg.PoolClient>(work, judge)
  } catch (error) {
    if (begun || !(error instanceof AppError)) throw error
    const { retryAfterMs = 1_000 } = error
    throw new AppError('UNAVAILABLE', `Postgres: ${error.message}`, {
      cause: error,
      retryAfterMs,
      details: { outcome: 'none' },
    })
  }
}

/** A wrong password, or a database that is not there, are answers. How long it takes says how busy the pool is. */
const judge: Judge<unknown> = {
  value: () => 'good',
  error: (error) => (['UNAVAILABLE', 'OVERLOADED'].includes(codeOf(error)) ? 'bad' : 'none'),
  slow: () => 'none',
}
