import type { Engine, RunResult } from './engine.ts'
import type { DetachedPart } from './messages.ts'
import { identifier, literal } from './params.ts'
import type { Kill } from './run.ts'

/** What the parent and this process may ask of the engine beside the gate: one statement after the other, but kills at once. */
export interface Admin {
  facts(): Promise<{ readonly version: string; readonly tableFunctions: readonly string[] }>
  readonly kill: Kill
  readonly detachedParts: () => Promise<readonly DetachedPart[]>
  dropDetached(part: DetachedPart): Promise<readonly DetachedPart[]>
  freeze(name: string): Promise<readonly DetachedPart[]>
}

export function createAdmin(engine: Engine): Admin {
  const connection = engine.connect('admin')
  let last: Promise<unknown> = Promise.resolve()
  const rows = <T>(sql: string): Promise<T[]> => {
    const result = last.then(() => connection.run(sql, 'JSONEachRow'))
    last = result.catch(() => undefined)
    return result.then((done) => rowsOf<T>(done))
  }
  return {
    facts: async () => {
      const found = await rows<{ name: string; version: string }>(
        'SELECT name, version() AS version FROM system.table_functions',
      )
      return { version: found[0]?.version ?? '', tableFunctions: found.map((row) => row.name) }
    },
    kill: async (mark) => {
      // It must not wait for a backup that freezes tables, nor for another kill.
      const own = engine.connect('kill')
      try {
        const sql = `KILL QUERY WHERE Settings['log_comment'] = ${literal(mark)} ASYNC`
        return rowsOf(await own.run(sql, 'JSONEachRow')).length
      } finally {
        await own.close()
      }
    },
    detachedParts: () =>
      rows<DetachedPart>(
        `SELECT database, \`table\`, ifNull(partition_id, '') AS partition, name, ifNull(reason, '') AS reason
         FROM system.detached_parts WHERE reason NOT IN ('', 'ignored', 'attaching', 'deleting')`,
      ),
    dropDetached: async (part) => {
      const table = `${identifier(part.database)}.${identifier(part.table)}`
      await rows(`ALTER TABLE ${table} DROP DETACHED PART ${literal(part.name)} SETTINGS allow_drop_detached = 1`)
      return []
    },
    freeze: async (name) => {
      const tables = await rows<{ database: string; name: string }>(
        `SELECT database, name FROM system.tables
         WHERE engine LIKE '%MergeTree' AND lower(database) NOT IN ('system', 'information_schema')`,
      )
      for (const table of tables) {
        const target = `${identifier(table.database)}.${identifier(table.name)}`
        await rows(`ALTER TABLE ${target} FREEZE WITH NAME ${literal(name)}`)
      }
      return []
    },
  }
}

const rowsOf = <T>({ bytes }: RunResult): T[] =>
  Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
