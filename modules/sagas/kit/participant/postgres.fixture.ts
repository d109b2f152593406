import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PostgresTx } from '@splitstream/kernel'
import { connectPostgres } from '../../../../src/engines/postgres/driver.ts'
import { startEmbeddedPostgres } from '../../../../src/engines/postgres/embedded.ts'
import { barrierTable, type Sql } from './barrier.ts'

export interface ParticipantDatabase {
  readonly sql: Sql<PostgresTx>
  close(): Promise<void>
}

/** A real Postgres with the barrier's table, and one of effects: `n` is 1 for a forward call and -1 for its undo. */
export async function startParticipantDatabase(): Promise<ParticipantDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-kit-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  const db = connectPostgres({ url: server.url, applicationName: 'participant', max: 16 })
  await db.query(barrierTable('postgres'))
  await db.query('CREATE TABLE effects (saga text NOT NULL, key text NOT NULL, n integer NOT NULL)')
  return {
    sql: { dialect: 'postgres', tx: db.tx, query: (tx, text, params) => tx.query(text, params) },
    close: async () => {
      await db.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
