import type { Postgres } from '@splitstream/kernel'
import type { SagaStatus } from '../domain/state.ts'

/** Sagas of one definition that have not ended, by version and status. */
export interface InFlight {
  readonly instances: Readonly<Record<string, Partial<Record<SagaStatus, number>>>>
  /** False when there are more than were looked at. */
  readonly instancesComplete: boolean
}

/** One answer looks at so many sagas of each kind at most. */
const maxScanned = 20_000

/**
 * Counts sagas that go on. No index is kept for that alone (it would cost each saga 100 bytes of WAL): those that are run, that
 * are due at some time or that have a problem are in an index each; the newest show the others, which wait for a child.
 */
export async function countInFlight(postgres: Postgres, tenant: string, name: string): Promise<InFlight> {
  const [row] = await postgres.query<{ counts: readonly Count[]; complete: boolean }>(
    `WITH owned AS MATERIALIZED (${scan('AND owner IS NOT NULL')}),
       due AS MATERIALIZED (${scan('AND due_at IS NOT NULL')}),
       troubled AS MATERIALIZED (${scan('AND problem IS NOT NULL')}),
       newest AS MATERIALIZED (${scan('ORDER BY id DESC')}),
       open AS (TABLE owned UNION TABLE due UNION TABLE troubled UNION TABLE newest),
       counts AS (
         SELECT version, status, count(*)::integer AS n FROM open
         WHERE name = $2 AND status NOT IN ('completed', 'compensated')
         GROUP BY version, status ORDER BY version DESC)
     SELECT (SELECT coalesce(json_agg(counts), '[]') FROM counts) AS counts,
       greatest((SELECT count(*) FROM owned), (SELECT count(*) FROM due), (SELECT count(*) FROM troubled)) < ${maxScanned}
         AS complete`,
    [tenant, name],
  )
  const { counts, complete } = row!
  const instances: Record<string, Partial<Record<SagaStatus, number>>> = {}
  for (const { version, status, n } of counts) {
    instances[version] ??= {}
    instances[version][status] = n
  }
  return { instances, instancesComplete: complete }
}

interface Count {
  readonly version: number
  readonly status: SagaStatus
  readonly n: number
}

/** Of the tenant: sagas of others may be many, and say nothing about its own. */
const scan = (which: string): string =>
  `SELECT id, name, version, status FROM sagas WHERE tenant = $1 ${which} LIMIT ${maxScanned}`
