import { DatabaseSync } from 'node:sqlite'
import { filePath } from './file.ts'
import type { Skip } from './messages.ts'

/*
 * A log that is restored from a backup does not know which places were given to events between the backup and the loss. If it
 * gave them again, a position that a client still has would name other events than it did. So it goes on far behind: at 1,024
 * times the milliseconds of the clock, which no partition that takes fewer than a million events a second ever gets to, and
 * which the next restore lies behind again. What is left out is remembered, so that such a position is refused.
 */
const placesPerMs = 1_024
const leastGap = 2 ** 32

/** Makes the restored log in `dir`, which nobody has open, go on behind all places that it may have given before. */
export function skipPlaces(dir: string, now: number): void {
  const db = new DatabaseSync(filePath(dir))
  try {
    db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE')
    const ends = db.prepare('SELECT log_partition AS p, end_offset AS "end" FROM ends').all()
    const partitions = Number(db.prepare("SELECT value FROM meta WHERE name = 'partitions'").get()?.value)
    for (let p = 0; p < partitions; p++) {
      const end = Number(ends.find((row) => row.p === p)?.end ?? 0)
      // Restored again before anything was appended.
      const last = readSkips(db).find((skip) => skip.partition === p && skip.from === end)
      const to = Math.max(now * placesPerMs, (last?.to ?? end) + leastGap)
      db.prepare('INSERT OR REPLACE INTO skips VALUES (?, ?, ?)').run(p, end, to)
    }
    db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    db.close()
  }
}

export function readSkips(db: DatabaseSync): Skip[] {
  const sql = 'SELECT log_partition AS "partition", from_offset AS "from", to_offset AS "to" FROM skips'
  return db.prepare(sql).all() as unknown as Skip[]
}

/** The place that the next append to a partition gets, when its records end at `end`. */
export function nextPlace(skips: readonly Skip[], partition: number, end: number): number {
  return Math.max(end, ...skips.filter((skip) => skip.partition === partition).map((skip) => skip.to))
}

/** Whether an append can have been answered with the position `next`. */
export function isSkipped(skips: readonly Skip[], partition: number, next: number): boolean {
  return skips.some((skip) => skip.partition === partition && skip.from < next && next <= skip.to)
}

/** Places between two offsets that no event has. */
export function skippedBetween(skips: readonly Skip[], partition: number, from: number, to: number): number {
  let places = 0
  for (const skip of skips) {
    if (skip.partition === partition && skip.from >= from && skip.to <= to) places += skip.to - skip.from
  }
  return places
}
