import { closeSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isFull } from './no-room.ts'

/** Version of the file's layout. A newer file is refused, never guessed at. */
const layoutVersion = 1

export const filePath = (dir: string): string => join(dir, 'log.db')

/**
 * Opens the log file for writing, and makes it when there is none. SQLite in WAL mode with synchronous=FULL: COMMIT
 * returns after the WAL is fsynced (sqlite.org/pragma.html#pragma_synchronous). A torn tail of the WAL fails its frame
 * checksums and is dropped at the next open: such a commit was never acknowledged.
 * @throws Error when the file is of another version, has another number of partitions, or is in use.
 */
export function openForWriting(dir: string, partitions: number): DatabaseSync {
  const db = new DatabaseSync(filePath(dir))
  // Only before the first table: lets the worker give free pages back to the file system.
  db.exec('PRAGMA auto_vacuum = INCREMENTAL')
  db.exec(
    'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096',
  )
  db.exec('PRAGMA journal_size_limit = 134217728; PRAGMA cache_size = -8192; PRAGMA busy_timeout = 2000')
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version > layoutVersion) {
    throw new Error(`the log in ${dir} was written by a newer version of Splitstream (layout ${version})`)
  }
  if (version === 0) create(db, dir, partitions)
  // Versions that know nothing of it leave it alone, so it is no other layout.
  db.exec(`CREATE TABLE IF NOT EXISTS traces (
    log_partition INTEGER, base_offset INTEGER, traceparent TEXT NOT NULL, PRIMARY KEY (log_partition, base_offset)
  ) WITHOUT ROWID`)
  db.exec(`CREATE TABLE IF NOT EXISTS skips (
    log_partition INTEGER, from_offset INTEGER, to_offset INTEGER NOT NULL, PRIMARY KEY (log_partition, from_offset)
  ) WITHOUT ROWID`)
  settle(db, dir)
  const stored = Number(db.prepare("SELECT value FROM meta WHERE name = 'partitions'").get()?.value)
  if (stored !== partitions) {
    throw new Error(`the log in ${dir} has ${stored} partitions; LOG_PARTITIONS cannot be changed to ${partitions}`)
  }
  return db
}

/**
 * Moves all that the write-ahead log holds into the file, and syncs that. After an fsync that failed, the pages that it was about
 * count as clean: reading them gives what was written, and no later fsync brings them to the disk (Rebello et al., ATC 2020). What
 * would be appended behind them would be lost with them in a power cut. So nothing is, neither in this life nor in the next.
 * @throws Error unless it is done, but for a lack of room: then the write-ahead log cannot grow either
 */
function settle(db: DatabaseSync, dir: string): void {
  try {
    const done = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    if (done?.busy !== 0) throw new Error(`the write-ahead log in ${dir} is in use`)
  } catch (error) {
    if (!isFull(error, dir)) throw error
  }
}

function create(db: DatabaseSync, dir: string, partitions: number): void {
  const tables = Array.from(
    { length: partitions },
    (_, p) =>
      `CREATE TABLE partition_${p} (
         base_offset INTEGER PRIMARY KEY, count INTEGER NOT NULL, appended_at INTEGER NOT NULL,
         crc INTEGER NOT NULL, bytes BLOB NOT NULL);`,
  )
  db.exec(`BEGIN;
    ${tables.join('\n')}
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO meta VALUES ('partitions', ${partitions});
    CREATE TABLE ends (log_partition INTEGER PRIMARY KEY, end_offset INTEGER NOT NULL);
    CREATE TABLE groups (name TEXT, log_partition INTEGER, next_offset INTEGER NOT NULL, PRIMARY KEY (name, log_partition));
    PRAGMA user_version = ${layoutVersion};
    COMMIT;`)
  const fd = openSync(dir, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** Holds the directory for this process until it ends, however it ends. @throws Error when another process holds it. */
export function lockDirectory(dir: string): DatabaseSync {
  const lock = new DatabaseSync(join(dir, 'lock.db'))
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  } catch (error) {
    throw new Error(`another Splitstream process uses ${dir}; stop it or set another DATA_DIR`, { cause: error })
  }
  return lock
}
