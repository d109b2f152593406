import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Bounds, ToWorker } from './messages.ts'
import { isFull } from './no-room.ts'

type Limits = Extract<ToWorker, { kind: 'trim' }>

interface Oldest {
  readonly base_offset: number
  readonly count: number
  readonly appended_at: number
  readonly size: number
}

/** What one trim deletes of a partition at most: it never holds up a commit for long, and twice a second it keeps up. */
const trimRows = 1_000
const trimBytes = 32 << 20

/** Free pages (8 KiB) are kept for what comes, unless they are more than this and a third of the file; then some go each time. */
const keptPages = 8_192
const returnedPages = 2_048

/** Deletes what was consumed and is beyond the limits, and gives the space back to the disk. */
export class Retention {
  readonly #db: DatabaseSync
  readonly #dir: string
  readonly #oldest: StatementSync[]
  readonly #remove: StatementSync[]
  readonly #removeTraces: StatementSync
  readonly #freePages: StatementSync
  readonly #allPages: StatementSync

  constructor(db: DatabaseSync, dir: string, partitions: number) {
    const each = (sql: (table: string) => string): StatementSync[] =>
      Array.from({ length: partitions }, (_, p) => db.prepare(sql(`partition_${p}`)))
    this.#db = db
    this.#dir = dir
    this.#oldest = each(
      (table) =>
        `SELECT base_offset, count, appended_at, length(bytes) AS size FROM ${table} ORDER BY base_offset LIMIT ${trimRows}`,
    )
    this.#remove = each((table) => `DELETE FROM ${table} WHERE base_offset = ?`)
    this.#removeTraces = db.prepare('DELETE FROM traces WHERE log_partition = ? AND base_offset < ?')
    this.#freePages = db.prepare('PRAGMA freelist_count')
    this.#allPages = db.prepare('PRAGMA page_count')
  }

  /** @returns the bounds afterwards. On a full disk nothing is deleted, as that needs room too: the next trim tries again. */
  trim(p: number, bounds: Bounds, limits: Limits): Bounds {
    const { gone, ...after } = this.#beyond(p, bounds, limits)
    if (gone.length === 0) return bounds
    const done = this.#attempt(() => {
      this.#db.exec('BEGIN IMMEDIATE')
      for (const base of gone) this.#remove[p]!.run(base)
      this.#removeTraces.run(p, after.start)
      this.#db.exec('COMMIT')
    })
    return done ? after : bounds
  }

  /** After an outage the file is as large as what had piled up; the engines on the same disk need that space. */
  giveBack(): void {
    const free = Number(this.#freePages.get()!.freelist_count)
    if (free <= keptPages || free * 3 < Number(this.#allPages.get()!.page_count)) return
    this.#attempt(() => this.#db.exec(`PRAGMA incremental_vacuum(${returnedPages})`))
  }

  #beyond(p: number, { start, end, bytes }: Bounds, { floors, keepBytes, olderThan }: Limits) {
    const gone: number[] = []
    const enough = bytes - trimBytes
    for (const row of this.#oldest[p]!.iterate() as IterableIterator<unknown> as IterableIterator<Oldest>) {
      const next = row.base_offset + row.count
      const kept = next > floors[p]! || (bytes <= keepBytes && row.appended_at >= olderThan)
      if (kept || bytes <= enough) break
      gone.push(row.base_offset)
      start = next
      bytes -= row.size
    }
    return { gone, start, end, bytes }
  }

  #attempt(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      if (!isFull(error, this.#dir)) throw error
      return false
    }
  }
}
