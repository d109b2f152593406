import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { LogRecord } from '@splitstream/kernel'
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

/** Reads committed rows through a connection of its own: WAL readers never wait for the writer, nor it for them. */
export class LogFileReader {
  readonly #db: DatabaseSync
  readonly #from: StatementSync[]
  readonly #traces: StatementSync

  constructor(dir: string, partitions: number) {
    this.#db = new DatabaseSync(filePath(dir), { readOnly: true })
    this.#db.exec('PRAGMA cache_size = -2048')
    this.#from = Array.from({ length: partitions }, (_, p) =>
      this.#db.prepare(
        `SELECT base_offset, count, appended_at, crc, bytes FROM partition_${p}
         WHERE base_offset >= (SELECT coalesce(max(base_offset), 0) FROM partition_${p} WHERE base_offset <= ?)
         ORDER BY base_offset`,
      ),
    )
    this.#traces = this.#db.prepare(
      'SELECT base_offset, traceparent FROM traces WHERE log_partition = ? AND base_offset BETWEEN ? AND ?',
    )
  }

  /** Whole records from the one that holds `from` on; at least one when there is one. */
  read(partition: number, from: number, maxEvents: number, maxBytes: number): LogRecord[] {
    return this.#traced(partition, this.#read(partition, from, maxEvents, maxBytes))
  }

  close(): void {
    this.#db.close()
  }

  #read(partition: number, from: number, maxEvents: number, maxBytes: number): LogRecord[] {
    const records: LogRecord[] = []
    let events = 0
    let bytes = 0
    for (const stored of this.#from[partition]!.iterate(from)) {
      for (const record of recordsOf(partition, stored as unknown as StoredRow)) {
        if (record.baseOffset + record.count <= from) continue
        if (records.length > 0 && (events + record.count > maxEvents || bytes + record.bytes.length > maxBytes)) {
          return records
        }
        records.push(record)
        events += record.count
        bytes += record.bytes.length
      }
      if (events >= maxEvents || bytes >= maxBytes) break
    }
    return records
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
