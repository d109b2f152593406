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
  const rows = await postgres.query<{ version: number; status: SagaStatus; n: number; complete: boolean }>(
    `WITH owned AS MATERIALIZED (SELECT ${columns} FROM sagas WHERE owner IS NOT NULL LIMIT ${maxScanned}),
       due AS MATERIALIZED (SELECT ${columns} FROM sagas WHERE due_at IS NOT NULL LIMIT ${maxScanned}),
       troubled AS MATERIALIZED (
         SELECT ${columns} FROM sagas WHERE tenant = $1 AND problem IS NOT NULL LIMIT ${maxScanned}),
       newest AS MATERIALIZED (
         SELECT ${columns} FROM sagas WHERE tenant = $1 ORDER BY id DESC LIMIT ${maxScanned}),
       open AS (TABLE owned UNION TABLE due UNION TABLE troubled UNION TABLE newest)
     SELECT version, status, count(*)::integer AS n,
       greatest((SELECT count(*) FROM owned), (SELECT count(*) FROM due), (SELECT count(*) FROM troubled)) < ${maxScanned}
         AS complete
     FROM open WHERE tenant = $1 AND name = $2 AND status NOT IN ('completed', 'compensated')
     GROUP BY version, status ORDER BY version DESC`,
    [tenant, name],
  )
  const instances: Record<string, Partial<Record<SagaStatus, number>>> = {}
  for (const { version, status, n } of rows) {
    instances[version] ??= {}
    instances[version][status] = n
  }
  return { instances, instancesComplete: rows[0]?.complete ?? true }
}

const columns = 'id, tenant, name, version, status'
