import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Sql } from '../participant/index.ts'

/** The two functions that the barrier needs, over node:sqlite. One connection holds one transaction, so they queue. */
export function sqliteSql(db: DatabaseSync): Sql<DatabaseSync> {
  const statements = new Map<string, StatementSync>()
  const prepared = (text: string): StatementSync => {
    const statement = statements.get(text) ?? db.prepare(text)
    statements.set(text, statement)
    return statement
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    dialect: 'sqlite',
    tx: (fn) => {
      const run = last.then(async () => {
        db.exec('BEGIN IMMEDIATE')
        try {
          const result = await fn(db)
          db.exec('COMMIT')
          return result
        } catch (error) {
          if (db.isTransaction) db.exec('ROLLBACK')
          throw error
        }
      })
      last = run.catch(() => undefined)
      return run
    },
    query: async (_, text, params) => prepared(text).all(...params),
  }
}
