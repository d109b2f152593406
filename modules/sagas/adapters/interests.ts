import type { Postgres } from '@splitstream/kernel'
import type { Awaited } from '../domain/awaits.ts'

/** Changes with every publication and retirement that is committed. */
export async function publicationCount(postgres: Postgres): Promise<string> {
  const [row] = await postgres.query<{ n: string }>('SELECT n FROM publications', [], 'sagas publications')
  return row!.n
}

/** The newest version of a name, which is not retired and which events of a type start. */
export interface PublishedTrigger {
  readonly tenant: string
  readonly name: string
  readonly version: number
  readonly type: string
  /** Since when events of this type start it, ms since the epoch. */
  readonly since: number
}

/**
 * All triggers. A name keeps its time from version to version for as long as the type stays the same and it is not retired:
 * what came before a version was published, and is looked at after, starts the saga all the same.
 */
export async function publishedTriggers(postgres: Postgres): Promise<PublishedTrigger[]> {
  return await postgres.query<PublishedTrigger>(
    `WITH versions AS (
       SELECT tenant, name, version, trigger_type, published_at, retired_at,
         lead(version) OVER one IS NULL AS newest,
         lag(version) OVER one IS NULL OR lag(retired_at) OVER one IS NOT NULL
           OR lag(trigger_type) OVER one IS DISTINCT FROM trigger_type AS begins
       FROM definitions WINDOW one AS (PARTITION BY tenant, name ORDER BY version)
     ), known AS (
       SELECT *, max(published_at) FILTER (WHERE begins) OVER (PARTITION BY tenant, name) AS since FROM versions
     )
     SELECT tenant, name, version, trigger_type AS type, floor(extract(epoch FROM since) * 1000)::float8 AS since
     FROM known WHERE newest AND retired_at IS NULL AND trigger_type IS NOT NULL`,
  )
}

/**
 * What steps wait for, by tenant: of the newest versions, and of those that were replaced or retired after `before` (ms since
 * the epoch), as sagas may still run with them.
 */
export async function publishedAwaits(postgres: Postgres, before: number): Promise<(Awaited & { tenant: string })[]> {
  const rows = await postgres.query<{ tenant: string; awaits: string }>(
    `SELECT DISTINCT tenant, awaits FROM (
       SELECT tenant, awaits, least(retired_at, lead(published_at) OVER (PARTITION BY tenant, name ORDER BY version)) AS until
       FROM definitions
     ) versions
     WHERE awaits IS NOT NULL AND (until IS NULL OR until >= to_timestamp($1::float8 / 1000))`,
    [before],
  )
  return rows.flatMap(({ tenant, awaits }) => (JSON.parse(awaits) as Awaited[]).map((one) => ({ tenant, ...one })))
}
