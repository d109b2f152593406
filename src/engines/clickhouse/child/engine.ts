import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { engineLibrary } from '../library.ts'

/** What a statement reported when it was done. */
export interface RunResult {
  readonly bytes: Uint8Array
  /** Seconds. */
  readonly elapsed: number
  /** For an insert, the rows written. */
  readonly rowsRead: number
  readonly bytesRead: number
}

type Handle = { readonly __brand: 'connection' }

/** The part of chDB's native addon that is used here. */
interface Native {
  CreateConnection(path: string, args: readonly string[]): Handle
  CloseConnection(handle: Handle): void
  QueryAsyncConnection(handle: Handle, sql: string, format: string): Promise<RunResult>
}

/**
 * The addon itself, not `Session` of the package: closing a `Session` waits for the statements of all other sessions,
 * and here every request has a connection of its own (0.1 ms), so that no setting, parameter or temporary table of one
 * request is ever seen by another.
 */
function loadNative(): Native {
  const library = engineLibrary()
  return library.require(library.name) as Native
}

/** One connection to the open engine. It runs one statement at a time. */
export interface Connection {
  /** Runs one text, which may be `SET …; …`. @throws Error with the engine's message. */
  run(sql: string, format?: string): Promise<RunResult>
  /** Releases it, once what it runs has ended; resolves when what that had gathered is freed. */
  close(): Promise<void>
}

export interface Engine {
  /** A new connection whose statements carry `mark` as their log_comment: by that they are found and killed. */
  connect(mark: string): Connection
}

/** @throws Error when another process holds the directory, or it cannot be read. */
export function openEngine(dataDir: string, configFile: string, baseline: readonly string[]): Engine {
  const native = loadNative()
  const open = (args: readonly string[]): Connection => {
    const handle = native.CreateConnection(dataDir, args)
    let running: Promise<unknown> = Promise.resolve()
    let failed = false
    return {
      run: (sql, format = 'TabSeparated') => {
        const result = native.QueryAsyncConnection(handle, sql, format)
        running = result.catch(() => {
          failed = true
        })
        return result
      },
      close: async () => {
        // Closing a connection under a running statement would abort the whole engine.
        await running
        // What a statement gathered until it failed is kept until the next one, which runs in a thread. CloseConnection would
        // free it in this one: for 100,000 groups that takes 15 ms, for a million 150, and nobody is served meanwhile.
        if (failed) await native.QueryAsyncConnection(handle, 'SET max_threads = 1', 'Null').catch(() => undefined)
        native.CloseConnection(handle)
      },
    }
  }
  // Held for as long as the process lives: the engine shuts down with its last connection.
  open([`--config-file=${configFile}`, ...baseline])
  return { connect: (mark) => open([...baseline, `--log_comment=${mark}`]) }
}

/**
 * chDB opens `default` as an overlay on the file system, in which any file is a table: FROM `/etc/passwd`. This
 * puts an ordinary database in its place: over the same tables, if it has any. (An empty one cannot be attached again
 * in the same process, as the engine forgets its UUID, so it is dropped and made anew.)
 */
export async function replaceOverlay(connection: Connection, dataDir: string): Promise<void> {
  const number = async (sql: string): Promise<number> =>
    Number(Buffer.from((await connection.run(sql)).bytes).toString())
  const tables = await number(`SELECT count() FROM system.tables WHERE database = 'default'`)
  if (tables === 0 && (await tableFiles(join(dataDir, 'metadata', 'default'))) === 0) {
    await connection.run('DROP DATABASE default SYNC')
    await connection.run('CREATE DATABASE default ENGINE = Atomic')
  } else {
    await connection.run('DETACH DATABASE default')
    await connection.run('ATTACH DATABASE default')
    const kept = await number(`SELECT count() FROM system.tables WHERE database = 'default'`)
    if (kept !== tables) throw new Error(`the database default has ${kept} tables, and had ${tables}`)
  }
  const left = await number(`SELECT count() FROM system.databases WHERE engine IN ('Overlay', 'Filesystem')`)
  if (left !== 0) throw new Error('a database over the file system is left')
}

async function tableFiles(directory: string): Promise<number> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.sql')).length
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
}
