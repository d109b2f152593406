import { join } from 'node:path'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../../src/engines/clickhouse/embedded.ts'
import { startEmbeddedPostgres } from '../../../src/engines/postgres/embedded.ts'

/** Real engines that all processes of a fleet share; children of this process. */
export interface SharedEngines {
  readonly postgresUrl: string
  /** With name, password and database; undefined when the storage process embeds its own. */
  readonly clickhouseUrl: string | undefined
  stop(): Promise<void>
}

/** @throws AppError or Error when one does not start; the other is stopped then */
export async function startEngines(dir: string, o: { readonly clickhouse: boolean }): Promise<SharedEngines> {
  const [postgres, clickhouse] = await Promise.allSettled([
    startEmbeddedPostgres({ dataDir: join(dir, 'postgres') }),
    o.clickhouse ? startEmbeddedClickHouse({ dataDir: join(dir, 'clickhouse') }) : undefined,
  ])
  const stop = async (): Promise<void> => {
    const started = [postgres, clickhouse].flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []))
    await Promise.all(started.map((engine) => engine.stop()))
  }
  if (postgres.status === 'rejected' || clickhouse.status === 'rejected') {
    await stop()
    throw postgres.status === 'rejected' ? postgres.reason : (clickhouse as PromiseRejectedResult).reason
  }
  return { postgresUrl: postgres.value.url, clickhouseUrl: clickhouse.value && urlOf(clickhouse.value), stop }
}

function urlOf({ url, username, password }: EmbeddedClickHouse): string {
  const whole = new URL(url)
  whole.username = username
  whole.password = password
  whole.pathname = '/splitstream'
  return whole.href
}
