/* What becomes of the files of a server that is stopped: a bad disk, and time. */
import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'

/** Cuts a data file of the biggest part of the events table short. The engine drops the part at its start, in silence. */
export async function damageBiggestPart(dataDir: string): Promise<void> {
  const root = join(dataDir, 'clickhouse', 'data')
  const files = (await readdir(root, { recursive: true })).filter((name) =>
    /store\/.*\/\d{6}_\d+_\d+_\d+[^/]*\/(data|_key)\.bin$/.test(name),
  )
  expect(files.length).toBeGreaterThan(0)
  const sizes = await Promise.all(files.map(async (name) => ({ name, size: (await stat(join(root, name))).size })))
  const biggest = sizes.toSorted((a, b) => b.size - a.size)[0]!
  await truncate(join(root, biggest.name), Math.floor(biggest.size / 2))
}

/** Takes the head of the log, below this offset, as its retention does after a while. Ends stay: offsets go on. */
export function trimLog(dataDir: string, below = Number.MAX_SAFE_INTEGER): void {
  const log = new DatabaseSync(join(dataDir, 'log', 'log.db'))
  const tables = log.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'partition_*'`).all()
  for (const { name } of tables) log.prepare(`DELETE FROM ${name} WHERE base_offset < ?`).run(below)
  log.close()
}
