import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type LogRecord, type ReadLimits, turns } from '@splitstream/kernel'
import { filePath } from './file.ts'
import { checksum, unpackRow } from './row.ts'

interface StoredRow {
  base_offset: number
  count: number
  appended_at: number
  crc: number
  bytes: Uint8Array
}

interface StoredTrace {
  base_offset: number
  traceparent: string
}

type Room = Omit<ReadLimits, 'waitMs'>

interface Piece {
  readonly records: LogRecord[]
  /** That is left. */
  readonly room: Room
  /** There may be more that has room. */
  readonly more: boolean
}

/** Reads committed rows through a connection of its own: WAL readers never wait for the writer, nor it for them. */
export class LogFileReader {
  readonly #db: DatabaseSync
  /** From the row that holds a place on. */
  readonly #from: StatementSync[]
  /** From the row that begins at a place on, or after it. */
  readonly #on: StatementSync[]
  readonly #traces: StatementSync

  constructor(dir: string, partitions: number) {
    this.#db = new DatabaseSync(filePath(dir), { readOnly: true })
    this.#db.exec('PRAGMA cache_size = -2048')
    const each = (whereOf: (table: string) => string): StatementSync[] =>
      Array.from({ length: partitions }, (_, p) => {
        const table = `partition_${p}`
        const columns = 'base_offset, count, appended_at, crc, bytes'
        return this.#db.prepare(`SELECT ${columns} FROM ${table} WHERE ${whereOf(table)} ORDER BY base_offset`)
      })
    this.#from = each(
      (table) => `base_offset >= (SELECT coalesce(max(base_offset), 0) FROM ${table} WHERE base_offset <= ?)`,
    )
    this.#on = each(() => 'base_offset >= ?')
    this.#traces = this.#db.prepare(
      'SELECT base_offset, traceparent FROM traces WHERE log_partition = ? AND base_offset BETWEEN ? AND ?',
    )
  }

  /**
   * Whole records from the one that holds `from` on; at least one when there is one. In pieces: a full block in one go is 20 ms,
   * for which requests would wait.
   */
  async read(partition: number, from: number, room: Room): Promise<LogRecord[]> {
    turns.begin()
    let piece = this.#read(this.#from[partition]!, partition, from, room, true)
    const { records } = piece
    while (piece.more) {
      await turns.next()
      const { baseOffset, count } = records.at(-1)!
      piece = this.#read(this.#on[partition]!, partition, baseOffset + count, piece.room, false)
      for (const record of piece.records) records.push(record)
    }
    return records
  }

  close(): void {
    this.#db.close()
  }

  /** What has room of the next rows, as far as one gets in this turn. @param atLeastOne record, however large */
  #read(
    rows: StatementSync,
    partition: number,
    from: number,
    { maxEvents, maxBytes }: Room,
    atLeastOne: boolean,
  ): Piece {
    const records: LogRecord[] = []
    let [events, bytes] = [maxEvents, maxBytes]
    let more = false
    all: for (const stored of rows.iterate(from)) {
      for (const record of recordsOf(partition, stored as unknown as StoredRow)) {
        if (record.baseOffset + record.count <= from) continue
        const fits = record.count <= events && record.bytes.length <= bytes
        if (!fits && !(atLeastOne && records.length === 0)) break all
        records.push(record)
        events -= record.count
        bytes -= record.bytes.length
      }
      if (events <= 0 || bytes <= 0) break
      more = records.length > 0 && turns.isOver
      if (more) break
    }
    return { records: this.#traced(partition, records), room: { maxEvents: events, maxBytes: bytes }, more }
  }

  /** With the trace contexts of those that have one. */
  #traced(partition: number, records: LogRecord[]): LogRecord[] {
    const [first, last] = [records[0], records.at(-1)]
    if (!first || !last) return records
    const traces = this.#traces.all(partition, first.baseOffset, last.baseOffset) as unknown as StoredTrace[]
    if (traces.length === 0) return records
    const byOffset = new Map(traces.map((trace) => [trace.base_offset, trace.traceparent]))
    return records.map((record) => {
      const traceparent = byOffset.get(record.baseOffset)
      return traceparent === undefined ? record : { ...record, traceparent }
    })
  }
}

/** A row whose checksum is wrong is one corrupt record: nobody can say where its records begin. */
function recordsOf(partition: number, row: StoredRow): LogRecord[] {
  const common = { partition, appendedAt: row.appended_at }
  if (checksum(row.bytes) !== row.crc) {
    return [{ ...common, baseOffset: row.base_offset, count: row.count, bytes: row.bytes, corrupt: true }]
  }
  return Array.from(unpackRow(row.base_offset, row.bytes), (entry) => ({ ...common, ...entry, corrupt: false }))
}
