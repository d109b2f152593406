import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectPostgres } from './engines/postgres/driver.ts'
import { startEmbeddedPostgres } from './engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from './engines/postgres/migrate.ts'

/** The Postgres in which logs take turns, and a folder for what else a test keeps. */
export async function startTurns() {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-turns-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  await migratePostgres(server, fileURLToPath(new URL('../migrations/postgres/', import.meta.url)))
  const url = moduleUrl(server.url, 'ingest')
  const postgres = connectPostgres({ url, applicationName: 'test' })
  return {
    folder,
    url,
    postgres,
    stop: async () => {
      await postgres.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
