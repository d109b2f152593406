/** Copies records of a log file that is in use into a new one, in a thread of its own: a step for each message. */
import { mkdirSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { CopyStep, LogCopyJob } from './copy-log.ts'
import { filePath, openForWriting } from './file.ts'
import { isFull } from './no-room.ts'
import { readSkips } from './skips.ts'

const { fromDir, toDir, partitions, from, offsets } = workerData as LogCopyJob
const stepBytes = 4 << 20

mkdirSync(toDir, { recursive: true, mode: 0o700 })
const source = new DatabaseSync(filePath(fromDir), { readOnly: true })
const target = openForWriting(toDir, partitions)
// Nothing is acknowledged by it: what counts is the sync of the whole file.
target.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE')
/** Everything that was acknowledged before now lies below. */
const ends = new Map(
  source
    .prepare('SELECT log_partition AS p, end_offset AS "end" FROM ends')
    .all()
    .map((row) => [Number(row.p), Number(row.end)]),
)
const rows = Array.from({ length: partitions }, (_, p) =>
  source.prepare(
    `SELECT base_offset, count, appended_at, crc, bytes FROM partition_${p}
     WHERE base_offset < ? AND base_offset >= (SELECT coalesce(max(base_offset), 0) FROM partition_${p} WHERE base_offset <= ?)
     ORDER BY base_offset`,
  ),
)
const insert = Array.from({ length: partitions }, (_, p) =>
  target.prepare(`INSERT INTO partition_${p} VALUES (?, ?, ?, ?, ?)`),
)
const next = Array.from({ length: partitions }, (_, p) => from[p] ?? 0)

parentPort!.on('message', () => {
  try {
    parentPort!.postMessage(step())
  } catch (error) {
    parentPort!.postMessage({ failed: String(error), full: isFull(error, toDir) } satisfies CopyStep)
  }
})

/** Some records of one partition, or the end. */
function step(): CopyStep {
  const p = next.findIndex((at, partition) => at < (ends.get(partition) ?? 0))
  if (p < 0) return finish()
  const end = ends.get(p)!
  let bytes = 0
  target.exec('BEGIN')
  for (const row of rows[p]!.iterate(end, next[p]!)) {
    const base = Number(row.base_offset)
    insert[p]!.run(base, row.count!, row.appended_at!, row.crc!, row.bytes!)
    next[p] = base + Number(row.count)
    bytes += (row.bytes as Uint8Array).length
    if (bytes >= stepBytes) break
  }
  target.exec('COMMIT')
  // The rest is trimmed, or lies between two records.
  if (bytes === 0) next[p] = end
  return { bytes }
}

function finish(): CopyStep {
  target.exec('BEGIN')
  for (const [p, end] of ends) target.prepare('INSERT INTO ends VALUES (?, ?)').run(p, end)
  for (const { group, partition, next } of offsets) {
    target.prepare('INSERT INTO groups VALUES (?, ?, ?)').run(group, partition, next)
  }
  for (const { partition, from, to } of readSkips(source)) {
    target.prepare('INSERT INTO skips VALUES (?, ?, ?)').run(partition, from, to)
  }
  target.exec('COMMIT')
  target.close()
  source.close()
  return { ends: Array.from({ length: partitions }, (_, p) => ends.get(p) ?? 0) }
}
