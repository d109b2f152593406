import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { barrierTable, type Sql } from './barrier.ts'
import type { Kit } from './planted.fixture.ts'
import { effectOf, randomMessages, Story } from './story.fixture.ts'
import { seeded, Turns } from './turns.fixture.ts'

/** One connection of SQLite, and the statements prepared on it. */
class Connection {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(file: string) {
    this.db = new DatabaseSync(file, { timeout: 0 })
    this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
  }

  all(text: string, ...params: (string | number)[]): Record<string, unknown>[] {
    const statement = this.#statements.get(text) ?? this.db.prepare(text)
    this.#statements.set(text, statement)
    return statement.all(...params)
  }
}

/** The barrier on real SQLite, a connection for each message, whose statements interleave as the seed says. */
export class SqliteStories {
  readonly #folder = mkdtempSync(join(tmpdir(), 'splitstream-stories-'))
  readonly #connections: Connection[]
  readonly #outside: Connection

  constructor() {
    const file = join(this.#folder, 'participant.sqlite')
    this.#outside = new Connection(file)
    this.#outside.db.exec(`${barrierTable('sqlite')}; CREATE TABLE effects (saga TEXT, key TEXT, n INTEGER);
      CREATE INDEX by_saga ON effects (saga)`)
    this.#connections = Array.from({ length: 6 }, () => new Connection(file))
  }

  /** Tells one story. Resolves with what was against the rules. */
  async tell(seed: number, { passBarrier }: Pick<Kit, 'passBarrier'>): Promise<readonly string[]> {
    const random = seeded(seed)
    const saga = `saga-${seed}`
    const turns = new Turns((n) => Math.floor(random() * n))
    const story = new Story()
    const inForce = () => Number(this.#outside.all('SELECT TOTAL(n) AS n FROM effects WHERE saga = ?', saga)[0]?.n)
    await turns.run(
      randomMessages(saga, random).map((message, i) => async () => {
        const effect = effectOf<Connection>(message, async (tx, n, key) => {
          await turns.turn()
          tx.all('INSERT INTO effects VALUES (?, ?, ?)', saga, key, n)
        })
        const before = story.sent()
        const sql = this.#sql(this.#connections[i]!, turns)
        const reply = await passBarrier(sql, message.call, { do: effect, undo: effect }).catch(() => undefined)
        await story.heard(message, before, message.fate === 'lost' ? undefined : reply, inForce)
      }),
    )
    const keys = this.#outside.all('SELECT key FROM effects WHERE saga = ?', saga).map(({ key }) => String(key))
    story.end(inForce(), keys)
    return story.violations
  }

  close(): void {
    for (const { db } of [...this.#connections, this.#outside]) db.close()
    rmSync(this.#folder, { recursive: true })
  }

  /** Transactions begin without a lock, so that more of them interleave; SQLite refuses what would not be serializable. */
  #sql(connection: Connection, turns: Turns): Sql<Connection> {
    return {
      dialect: 'sqlite',
      tx: async (fn) => {
        await turns.turn()
        connection.all('BEGIN')
        try {
          const result = await fn(connection)
          await turns.turn()
          connection.all('COMMIT')
          return result
        } catch (error) {
          if (connection.db.isTransaction) connection.all('ROLLBACK')
          throw error
        }
      },
      query: async (tx, text, params) => {
        await turns.turn()
        return tx.all(text, ...params)
      },
    }
  }
}
