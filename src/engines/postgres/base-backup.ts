import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'
import pg from 'pg'
import { type FileTree, type TreeFile, walkTree } from '../file-tree.ts'
import { endClient } from './end-client.ts'
import { toAppError } from './errors.ts'

/** Made anew by a server that starts, or about processes that are gone (postgresql.org/docs/18/continuous-archiving.html). */
const emptied = new Set(
  'pg_dynshmem pg_notify pg_replslot pg_serial pg_snapshots pg_stat_tmp pg_subtrans pg_wal'.split(' '),
)
const left = new Set(['postmaster.pid', 'postmaster.opts', 'backup_label', 'tablespace_map', 'current_logfiles'])

/**
 * A physical copy of a running server, by its low-level API: `copy` is given the data directory's files, which may change
 * while they are copied, and then the log of changes (WAL) of that time. The copy is of the instant at which the first ended: a
 * server that starts on it replays the log up to there. A slot that ends with the session keeps the log until it is copied.
 * @param prefix the data directory's place in the copy
 * @returns `at`: what was committed before is in the copy. `label` has to lie in it as `backup_label` before a server starts
 * @throws AppError UNAVAILABLE when the server goes away meanwhile: the copy is worth nothing then; the signal's reason when it is aborted
 */
export async function baseBackup(
  url: string,
  pgdata: string,
  prefix: string,
  copy: (tree: FileTree) => Promise<void>,
  signal: AbortSignal,
): Promise<{ label: string; at: Date }> {
  signal.throwIfAborted()
  const client = new pg.Client({
    connectionString: url,
    application_name: 'splitstream backup',
    connectionTimeoutMillis: 10_000,
  })
  let lost: Error | undefined
  client.on('error', (error) => {
    lost = error
  })
  const ask = async <T extends pg.QueryResultRow>(sql: string): Promise<T> => {
    if (lost) throw new AppError('UNAVAILABLE', 'Postgres went away during the backup', { cause: lost })
    const { rows } = await client.query<T>(sql).catch((error: unknown) => {
      signal.throwIfAborted()
      throw toAppError(error, 'none')
    })
    return rows[0]!
  }
  // At once, whatever the copy does: the slot keeps the log of changes on the disk.
  const abort = (): void => void endClient(client)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await client.connect()
    await ask(`SELECT pg_create_physical_replication_slot('splitstream_backup', true, true)`)
    await ask(`SELECT pg_backup_start('splitstream', fast => true)`)
    await copy(await dataFiles(pgdata, prefix))
    const { at } = await ask<{ at: Date }>('SELECT clock_timestamp() AS at')
    const end = await ask<{ labelfile: string; last: string }>(
      'SELECT labelfile, pg_walfile_name(lsn) AS last FROM pg_backup_stop(wait_for_archive => false)',
    )
    await copy(await walFiles(pgdata, prefix, firstFile(end.labelfile), end.last))
    return { label: end.labelfile, at }
  } finally {
    signal.removeEventListener('abort', abort)
    // Ends the slot, and the backup if it was not stopped.
    await endClient(client)
  }
}

async function dataFiles(pgdata: string, prefix: string): Promise<FileTree> {
  const tree = await walkTree(pgdata, prefix, (path, isDirectory) => {
    const [top, ...rest] = path.split('/')
    if (emptied.has(top!) && rest.length > 0) return false
    const name = rest.at(-1) ?? top!
    return isDirectory ? !name.startsWith('pgsql_tmp') : !left.has(path) && !name.startsWith('pg_internal.init')
  })
  // Tables are dropped while they are copied; what they were is in the log of changes.
  return { ...tree, files: tree.files.map((file): TreeFile => ({ ...file, mayVanish: true })) }
}

/** Whole segments, named by their number. */
async function walFiles(pgdata: string, prefix: string, first: string, last: string): Promise<FileTree> {
  const isNeeded = (name: string): boolean => /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last
  const names = new Set((await readdir(join(pgdata, 'pg_wal'))).filter(isNeeded))
  if (!names.has(first) || !names.has(last))
    throw new AppError('INTERNAL', 'Postgres did not keep the log of changes for the backup')
  return await walkTree(join(pgdata, 'pg_wal'), `${prefix}/pg_wal`, (path) => names.has(path))
}

/** `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)` */
function firstFile(label: string): string {
  const name = /^START WAL LOCATION: .*\(file ([0-9A-F]{24})\)$/m.exec(label)?.[1]
  if (name === undefined) throw new AppError('INTERNAL', 'The backup label of Postgres names no first segment')
  return name
}
