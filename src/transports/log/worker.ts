/** The only writer of the log file, in a thread of its own: a slow fsync never stops the event loop of the process. */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { isFull, lockDirectory, openForWriting } from './file.ts'
import type { Bounds, FromWorker, GroupOffset, ToWorker } from './messages.ts'
import { Retention } from './retention.ts'
import { checksum, RowJoiner } from './row.ts'
import { readSkips } from './skips.ts'

/**
 * Commits begin at least this far apart, ms. Without it, a stream of small appends makes 2,000 fsyncs a second for two or
 * three events each, and the kernel spends more than half a core on them. A lone append is never held back.
 */
const commitPeriodMs = 1

const { dir, partitions } = workerData as { dir: string; partitions: number }
const port = parentPort!
/** Nobody ever changes it: waiting for it is a pause. */
const never = new Int32Array(new SharedArrayBuffer(4))
const tell = (message: FromWorker): void => port.postMessage(message)
const each = <T>(make: (partition: number) => T): T[] => Array.from({ length: partitions }, (_, p) => make(p))

try {
  serve(lockDirectory(dir), openForWriting(dir, partitions))
} catch (error) {
  tell({ kind: 'refused', message: error instanceof Error ? error.message : String(error) })
}

function serve(lock: DatabaseSync, db: DatabaseSync): void {
  const insert = each((p) => db.prepare(`INSERT INTO partition_${p} VALUES (?, ?, ?, ?, ?)`))
  // The end outlives the rows: when all are trimmed, offsets go on where they were.
  const setEnd = db.prepare('INSERT OR REPLACE INTO ends VALUES (?, ?)')
  const setTrace = db.prepare('INSERT OR REPLACE INTO traces VALUES (?, ?, ?)')
  const setOffset = db.prepare('INSERT OR REPLACE INTO groups VALUES (?, ?, ?)')
  const bounds: Bounds[] = each((p) => readBounds(db, p))
  const retention = new Retention(db, partitions)
  const joiner = new RowJoiner()
  const offsets = db
    .prepare('SELECT name AS "group", log_partition AS partition, next_offset AS next FROM groups')
    .all()
  tell({ kind: 'opened', bounds, offsets: offsets as unknown as GroupOffset[], skips: readSkips(db) })

  port.on('message', (message: ToWorker) => {
    if (message.kind === 'commit') {
      const from = performance.now()
      tell(commit(message))
      // Nothing else is due before: an event loop's timer would be late by as much again.
      const rest = commitPeriodMs - (performance.now() - from)
      if (rest > 0) Atomics.wait(never, 0, 0, rest)
      return tell({ kind: 'ready' })
    }
    if (message.kind === 'trim') {
      for (let p = 0; p < partitions; p++) bounds[p] = retention.trim(p, bounds[p]!, message)
      retention.giveBack()
      return tell({ kind: 'trimmed', bounds })
    }
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    lock.close()
    tell({ kind: 'closed' })
    port.close()
  })

  function commit(message: Extract<ToWorker, { kind: 'commit' }>): FromWorker {
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const row of message.rows) {
        const { partition, baseOffset, count } = row
        const bytes = joiner.join(row)
        insert[partition]!.run(baseOffset, count, message.appendedAt, checksum(bytes), bytes)
        setEnd.run(partition, baseOffset + count)
      }
      for (const { partition, baseOffset, traceparent } of message.traces) {
        setTrace.run(partition, baseOffset, traceparent)
      }
      for (const { group, partition, next } of message.offsets) setOffset.run(group, partition, next)
      db.exec('COMMIT')
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      return { kind: 'failed', full: isFull(error), message: String(error) }
    }
    for (const row of message.rows) {
      const b = bounds[row.partition]!
      bounds[row.partition] = { ...b, end: row.baseOffset + row.count, bytes: b.bytes + row.size }
    }
    return { kind: 'committed' }
  }
}

function readBounds(db: DatabaseSync, p: number): Bounds {
  const row = db.prepare(`SELECT min(base_offset) AS start, total(length(bytes)) AS bytes FROM partition_${p}`).get()!
  const end = Number(db.prepare('SELECT end_offset FROM ends WHERE log_partition = ?').get(p)?.end_offset ?? 0)
  return { start: row.start === null ? end : Number(row.start), end, bytes: Number(row.bytes) }
}
