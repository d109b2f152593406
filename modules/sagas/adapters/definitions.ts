import type { Postgres, PostgresTx } from '@splitstream/kernel'
import { awaitsOf } from '../domain/awaits.ts'
import type { SagaDefinition } from '../domain/definition.ts'

export interface PublishedVersion {
  readonly name: string
  readonly version: number
  readonly publishedAt: Date
  readonly publishedBy: string
  readonly retiredAt: Date | null
  /** As published, JSON. */
  readonly body: string
}

interface Row {
  name: string
  version: number
  published_at: Date
  published_by: string
  retired_at: Date | null
  body: string
}

const columns = 'name, version, published_at, published_by, retired_at, body'

/** Published definitions of sagas: every version is kept, as sagas keep to the one that they started with. */
export class Definitions {
  readonly #postgres: Postgres

  constructor(postgres: Postgres) {
    this.#postgres = postgres
  }

  /** The newest version, or the given one. */
  async find(tenant: string, name: string, version?: number): Promise<PublishedVersion | undefined> {
    const [row] = await this.#postgres.query<Row>(
      `SELECT ${columns} FROM definitions WHERE tenant = $1 AND name = $2 AND ($3::integer IS NULL OR version = $3)
       ORDER BY version DESC LIMIT 1`,
      [tenant, name, version ?? null],
      'sagas definition',
    )
    return row && viewOf(row)
  }

  /** The newest version of each name, by name, behind `after`. */
  async list(tenant: string, limit: number, after: string | undefined): Promise<PublishedVersion[]> {
    const rows = await this.#postgres.query<Row>(
      `SELECT DISTINCT ON (name) ${columns} FROM definitions WHERE tenant = $1 AND ($3::text IS NULL OR name > $3)
       ORDER BY name, version DESC LIMIT $2`,
      [tenant, limit, after ?? null],
    )
    return rows.map(viewOf)
  }

  /** Names of all definitions, those that are retired among them. */
  async names(tenant: string, limit: number): Promise<string[]> {
    const sql = 'SELECT DISTINCT name FROM definitions WHERE tenant = $1 LIMIT $2'
    return (await this.#postgres.query<{ name: string }>(sql, [tenant, limit])).map(({ name }) => name)
  }

  /** Those of the names with which a saga can be started. */
  async startable(tenant: string, names: readonly string[]): Promise<Set<string>> {
    const rows = await this.#postgres.query<{ name: string; retired_at: Date | null }>(
      `SELECT DISTINCT ON (name) name, retired_at FROM definitions WHERE tenant = $1 AND name = ANY($2::text[])
       ORDER BY name, version DESC`,
      [tenant, names],
    )
    return new Set(rows.filter(({ retired_at }) => retired_at === null).map(({ name }) => name))
  }

  /**
   * Adds a version, unless the newest one says the same: publishing twice is publishing once.
   * @returns the newest version, and whether it is a new one
   */
  async publish(
    tenant: string,
    name: string,
    definition: SagaDefinition,
    by: string,
  ): Promise<{ version: number; fresh: boolean }> {
    return await this.#postgres.tx(async (tx) => {
      const newest = await lockNewest(tx, tenant, name)
      const body = JSON.stringify(definition)
      if (newest && newest.body === body && newest.retired_at === null) {
        return { version: newest.version, fresh: false }
      }
      const version = (newest?.version ?? 0) + 1
      const awaits = awaitsOf(definition)
      await tx.query(
        `INSERT INTO definitions (tenant, name, version, body, trigger_type, awaits, published_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [
          tenant,
          name,
          version,
          body,
          definition.trigger?.type ?? null,
          awaits.length > 0 ? JSON.stringify(awaits) : null,
          by,
        ],
      )
      await countPublication(tx)
      return { version, fresh: true }
    })
  }

  /** No new saga is started with it; those that run go on. False when there is none, or it is retired already. */
  async retire(tenant: string, name: string): Promise<boolean> {
    return await this.#postgres.tx(async (tx) => {
      const newest = await lockNewest(tx, tenant, name)
      if (!newest || newest.retired_at !== null) return false
      await tx.query(
        `UPDATE definitions SET retired_at = clock_timestamp() WHERE tenant = $1 AND name = $2 AND version = $3`,
        [tenant, name, newest.version],
      )
      await countPublication(tx)
      return true
    })
  }
}

/** Two that publish the same name take turns. */
async function lockNewest(tx: PostgresTx, tenant: string, name: string): Promise<Row | undefined> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${tenant}/${name}`])
  const [row] = await tx.query<Row>(
    `SELECT ${columns} FROM definitions WHERE tenant = $1 AND name = $2 ORDER BY version DESC LIMIT 1`,
    [tenant, name],
  )
  return row
}

/** Consumers of events see it when the transaction is committed, and not before. */
async function countPublication(tx: PostgresTx): Promise<void> {
  await tx.query('UPDATE publications SET n = n + 1')
}

function viewOf(row: Row): PublishedVersion {
  return {
    name: row.name,
    version: row.version,
    publishedAt: row.published_at,
    publishedBy: row.published_by,
    retiredAt: row.retired_at,
    body: row.body,
  }
}
