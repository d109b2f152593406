import type { Clock, Metrics, Postgres } from '@splitstream/kernel'

/** Counted no further: beyond it, how many there are makes no difference. */
const most = 100_000
/** Both gauges are read in one look, ms. */
const together = 1_000

interface Open {
  readonly status: string
  readonly n: string
  readonly oldest: string
}

/*
 * By the indexes of what is owned, due or in trouble, so that sagas that have ended cost nothing. A saga that only waits for a
 * child is in none of them; its child is.
 */
const openSagas = `SELECT status, count(*) AS n, min(id::text) AS oldest FROM (
    SELECT status, id FROM sagas
    WHERE (owner IS NOT NULL OR due_at IS NOT NULL OR problem IS NOT NULL)
      AND status IN ('running', 'compensating', 'needs_attention') LIMIT $1
  ) AS open GROUP BY status`

const openRefused =
  'SELECT count(*)::integer AS n FROM (SELECT FROM outbox_refused WHERE settled IS NULL LIMIT $1) AS open'

/** How many sagas are open, and since when, asked for when somebody looks. */
export function watchSagas(o: { postgres: Postgres; clock: Clock; metrics: Metrics }): void {
  const { postgres, clock, metrics } = o
  let asked: { readonly at: number; readonly rows: Promise<Open[]> } | undefined
  const look = (): Promise<Open[]> => {
    const at = clock.monotonic()
    if (!asked || at - asked.at > together) asked = { at, rows: postgres.query<Open>(openSagas, [most]) }
    return asked.rows
  }
  const each = async (value: (row: Open) => number) =>
    (await look()).map((row) => [{ 'splitstream.saga.status': row.status }, value(row)] as const)
  const help = `Sagas that have not ended; ${most} stands for more`
  metrics.gauge('splitstream.sagas.open', help, () => each(({ n }) => Number(n)), '{saga}')
  // The first 48 bits of an id are the time of the start, ms.
  const startedAt = ({ oldest }: Open): number => Number.parseInt(oldest.replace('-', '').slice(0, 12), 16)
  const age = (row: Open): number => Math.max(0, clock.now() - startedAt(row)) / 1_000
  const refused = 'Emitted events that ingest refused and nobody has dealt with'
  const waiting = async () => (await postgres.query<{ n: number }>(openRefused, [most]))[0]!.n
  metrics.gauge('splitstream.sagas.refused_events', refused, waiting, '{event}')
  metrics.gauge('splitstream.sagas.oldest', 'Age of the oldest saga that has not ended', () => each(age), 's')
}
