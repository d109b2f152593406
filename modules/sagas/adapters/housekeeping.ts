import type { Postgres } from '@splitstream/kernel'

/**
 * Takes the turn to tidy up, which there is once in `everyMs` for all processes together.
 * @returns the database's clock, ms since the epoch; undefined when it is not the time, or somebody else's turn
 */
export async function takeTurn(postgres: Postgres, everyMs: number): Promise<number | undefined> {
  const [row] = await postgres.query<{ now: number }>(
    `UPDATE housekeeping SET begun_at = clock_timestamp()
     WHERE begun_at < clock_timestamp() - $1::float8 * interval '1 ms'
     RETURNING extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`,
    [everyMs],
  )
  return row?.now
}

/** Something is left to do: the next turn may begin at once. */
export async function giveTurnBack(postgres: Postgres): Promise<void> {
  await postgres.query(`UPDATE housekeeping SET begun_at = '-infinity'`)
}
