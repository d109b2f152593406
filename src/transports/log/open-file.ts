import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { openForWriting } from './file.ts'
import type { Bounds, GroupOffset, Skip, ToWorker } from './messages.ts'
import { Retention } from './retention.ts'
import { buffersOf, checksum, RowJoiner } from './row.ts'
import { readSkips } from './skips.ts'

/** The log file, open for writing. After an error that is not about room it is closed, and opened again. */
export class OpenFile {
  readonly #db: DatabaseSync
  readonly #insert: readonly StatementSync[]
  readonly #setEnd: StatementSync
  readonly #setTrace: StatementSync
  readonly #setOffset: StatementSync
  readonly #retention: Retention
  readonly #joiner = new RowJoiner()
  readonly #bounds: Bounds[]

  /** @throws what openForWriting throws */
  constructor(dir: string, partitions: number) {
    const each = <T>(make: (partition: number) => T): T[] => Array.from({ length: partitions }, (_, p) => make(p))
    const db = openForWriting(dir, partitions)
    this.#db = db
    this.#insert = each((p) => db.prepare(`INSERT INTO partition_${p} VALUES (?, ?, ?, ?, ?)`))
    // The end outlives the rows: when all are trimmed, offsets go on where they were.
    this.#setEnd = db.prepare('INSERT OR REPLACE INTO ends VALUES (?, ?)')
    this.#setTrace = db.prepare('INSERT OR REPLACE INTO traces VALUES (?, ?, ?)')
    this.#setOffset = db.prepare('INSERT OR REPLACE INTO groups VALUES (?, ?, ?)')
    this.#retention = new Retention(db, dir, partitions)
    this.#bounds = each((p) => readBounds(db, p))
  }

  get bounds(): readonly Bounds[] {
    return this.#bounds
  }

  offsets(): GroupOffset[] {
    const sql = 'SELECT name AS "group", log_partition AS partition, next_offset AS next FROM groups'
    return this.#db.prepare(sql).all() as unknown as GroupOffset[]
  }

  skips(): Skip[] {
    return readSkips(this.#db)
  }

  /** All of it or nothing. When it returns, it is durable. The memory of the rows is given back. @throws Error of SQLite */
  commit({ rows, traces, offsets, appendedAt }: Extract<ToWorker, { kind: 'commit' }>): void {
    const db = this.#db
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const row of rows) {
        const { partition, baseOffset, count } = row
        const bytes = this.#joiner.join(row)
        this.#insert[partition]!.run(baseOffset, count, appendedAt, checksum(bytes), bytes)
        this.#setEnd.run(partition, baseOffset + count)
      }
      for (const { partition, baseOffset, traceparent } of traces) {
        this.#setTrace.run(partition, baseOffset, traceparent)
      }
      for (const { group, partition, next } of offsets) this.#setOffset.run(group, partition, next)
      db.exec('COMMIT')
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    } finally {
      // Left to the collector of this thread, which makes little garbage otherwise, 64 MB of them would lie there.
      for (const buffer of buffersOf(rows)) buffer.transfer(0)
    }
    for (const row of rows) {
      const b = this.#bounds[row.partition]!
      this.#bounds[row.partition] = { ...b, end: row.baseOffset + row.count, bytes: b.bytes + row.size }
    }
  }

  /** @throws Error of SQLite, unless it is about room: then nothing is deleted */
  trim(limits: Extract<ToWorker, { kind: 'trim' }>): void {
    for (const [p, bounds] of this.#bounds.entries()) this.#bounds[p] = this.#retention.trim(p, bounds, limits)
    this.#retention.giveBack()
  }

  /** Closes it as it is. */
  abandon(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  /** With the write-ahead log empty, where that can be. */
  close(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } finally {
      this.#db.close()
    }
  }
}

function readBounds(db: DatabaseSync, p: number): Bounds {
  const row = db.prepare(`SELECT min(base_offset) AS start, total(length(bytes)) AS bytes FROM partition_${p}`).get()!
  const end = Number(db.prepare('SELECT end_offset FROM ends WHERE log_partition = ?').get(p)?.end_offset ?? 0)
  return { start: row.start === null ? end : Number(row.start), end, bytes: Number(row.bytes) }
}
