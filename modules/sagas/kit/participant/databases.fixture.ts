import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { PostgresTx } from '@splitstream/kernel'
import { createConnection, createPool, type PoolConnection } from 'mysql2/promise'
import { connectPostgres } from '../../../../src/engines/postgres/driver.ts'
import { startEmbeddedPostgres } from '../../../../src/engines/postgres/embedded.ts'
import { startMariadb } from '../../../../test/support/mariadb.ts'
import { sqliteSql } from '../demo/sqlite.ts'
import { barrierTable, type Sql } from './barrier.ts'

/** A real database with the barrier's table, and one of effects: `n` is 1 for a forward call and -1 for its undo. */
export interface ParticipantDatabase<Tx> {
  readonly sql: Sql<Tx>
  close(): Promise<void>
}

const effectsTable =
  'CREATE TABLE effects (saga VARCHAR(128) NOT NULL, idempotency_key VARCHAR(128) NOT NULL, n INTEGER NOT NULL)'

export async function startPostgres(): Promise<ParticipantDatabase<PostgresTx>> {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-kit-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  const db = connectPostgres({ url: server.url, applicationName: 'participant', max: 16 })
  await db.query(barrierTable('postgres'))
  await db.query(effectsTable)
  return {
    sql: { dialect: 'postgres', tx: db.tx, query: (tx, text, params) => tx.query(text, params) },
    close: async () => {
      await db.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** MariaDB, with its own defaults for isolation and the like. */
export async function startMysql(): Promise<ParticipantDatabase<PoolConnection>> {
  const server = await startMariadb()
  const address = { host: '127.0.0.1', port: server.port, user: 'participant' }
  const first = await createConnection(address)
  await first.query('CREATE DATABASE shop')
  await first.end()
  const db = createPool({ ...address, connectionLimit: 16, database: 'shop' })
  await db.query(barrierTable('mysql'))
  await db.query(effectsTable)
  return {
    sql: {
      dialect: 'mysql',
      tx: async (fn) => {
        const connection = await db.getConnection()
        try {
          await connection.beginTransaction()
          const result = await fn(connection)
          await connection.commit()
          return result
        } catch (error) {
          await connection.rollback()
          throw error
        } finally {
          connection.release()
        }
      },
      query: async (tx, text, params) => {
        const [rows] = await tx.query(text, params)
        return Array.isArray(rows) ? (rows as object[]) : []
      },
    },
    close: async () => {
      await db.end()
      await server.stop()
    },
  }
}

export async function startSqlite(): Promise<ParticipantDatabase<DatabaseSync>> {
  const db = new DatabaseSync(':memory:')
  db.exec(`${barrierTable('sqlite')}; ${effectsTable}`)
  return { sql: sqliteSql(db), close: async () => db.close() }
}

/** The table of effects, in the words of each dialect. */
export class Effects<Tx> {
  readonly #sql: Sql<Tx>

  constructor(sql: Sql<Tx>) {
    this.#sql = sql
  }

  async add(tx: Tx, saga: string, key: string | null, n: number | null): Promise<void> {
    await this.#run(tx, 'INSERT INTO effects VALUES (?, ?, ?)', [saga, key, n] as string[])
  }

  /** The sum of the committed ones. */
  async inForce(saga: string): Promise<number> {
    const [row] = await this.#outside('SELECT coalesce(sum(n), 0) AS n FROM effects WHERE saga = ?', saga)
    return Number(row?.n)
  }

  /** Under which effects were committed. */
  async keys(saga: string): Promise<string[]> {
    const rows = await this.#outside('SELECT idempotency_key AS n FROM effects WHERE saga = ?', saga)
    return rows.map(({ n }) => String(n))
  }

  #outside(text: string, saga: string): Promise<readonly { n: unknown }[]> {
    return this.#sql.tx((tx) => this.#run(tx, text, [saga]))
  }

  async #run(tx: Tx, text: string, params: string[]): Promise<readonly { n: unknown }[]> {
    let count = 0
    const marked = this.#sql.dialect === 'postgres' ? text.replace(/\?/g, () => `$${++count}`) : text
    return (await this.#sql.query(tx, marked, params)) as { n: unknown }[]
  }
}
