import { connectPostgres } from '../../../../src/engines/postgres/driver.ts'
import { startEmbeddedPostgres } from '../../../../src/engines/postgres/embedded.ts'
import { started, temporaryFolder } from '../../cleanup.ts'

/** What Postgres did since `countFrom`. */
export interface PostgresWork {
  /** Statements from clients, transaction control among them. */
  readonly statements: number
  /** Bytes of write-ahead log, full page images among them. */
  readonly walBytes: number
}

export interface BenchPostgres {
  readonly url: string
  /** The current postmaster. */
  readonly pid: number
  /** Counts what `work` makes Postgres do. Statements are counted only meanwhile: it costs time. */
  count(work: () => Promise<unknown>): Promise<PostgresWork>
  stop(): Promise<void>
}

/** The embedded Postgres with the product's own settings, fresh, and with pg_stat_statements loaded. */
export async function startBenchPostgres(): Promise<BenchPostgres> {
  const folder = temporaryFolder()
  const start = () => started(startEmbeddedPostgres({ dataDir: folder.path }), (server) => server.stop())
  // The module can only be loaded at the start, and the product's command line has no place for it: the file has.
  const first = await start()
  await withPostgres(first.thing.url, (query) =>
    query(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`),
  )
  await first.stop()
  const { thing: server, stop } = await start()
  await withPostgres(server.url, async (query) => {
    await query('CREATE EXTENSION pg_stat_statements')
    await track(query, 'none')
  })
  return {
    url: server.url,
    get pid() {
      return server.pid
    },
    count: (work) =>
      withPostgres(server.url, async (query) => {
        await track(query, 'top')
        const [before] = await query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn')
        await query('SELECT pg_stat_statements_reset()')
        await work()
        const [after] = await query<{ statements: string; wal: string }>(
          `SELECT sum(calls) FILTER (WHERE query NOT LIKE '%pg_stat_statements%') AS statements,
                  pg_current_wal_lsn() - $1::pg_lsn AS wal FROM pg_stat_statements`,
          [before?.lsn],
        )
        await track(query, 'none')
        return { statements: Number(after?.statements), walBytes: Number(after?.wal) }
      }),
    stop: async () => {
      await stop()
      await folder.remove()
    },
  }
}

type Query = <T>(text: string, values?: readonly unknown[]) => Promise<T[]>

async function track(query: Query, what: 'none' | 'top'): Promise<void> {
  await query(`ALTER SYSTEM SET pg_stat_statements.track = '${what}'`)
  await query('SELECT pg_reload_conf()')
}

async function withPostgres<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  const postgres = connectPostgres({ url, max: 1, applicationName: 'bench' })
  try {
    return await work(postgres.query)
  } finally {
    await postgres.close()
  }
}
