import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, type ClickHouse, systemCall, systemClock } from '@splitstream/kernel'

/**
 * Runs `<dir>/<module>/NNNN_name.sql` that were not run yet, in order. ClickHouse has no transactions for DDL: statements
 * are written to be repeatable, and a file is recorded after its last one.
 * @throws AppError CONFIG_INVALID when a file that was run has changed since.
 */
export async function migrateClickHouse(clickhouse: ClickHouse, dir: string): Promise<string[]> {
  const call = systemCall(systemClock, 300_000, new AbortController().signal)
  await clickhouse.command(
    { sql: 'CREATE TABLE IF NOT EXISTS migrations (name String, checksum String) ENGINE = MergeTree ORDER BY name' },
    call,
  )
  const rows = await clickhouse.rows<{ name: string; checksum: string }>(
    { sql: 'SELECT name, checksum FROM migrations' },
    call,
  )
  const done = new Map(rows.map((row) => [row.name, row.checksum]))
  const applied: string[] = []
  for (const file of (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.sql')).sort()) {
    const name = file.replaceAll('\\', '/')
    const text = await readFile(join(dir, file), 'utf8')
    const checksum = createHash('sha256').update(text).digest('hex')
    const before = done.get(name)
    if (before === checksum) continue
    if (before !== undefined)
      throw new AppError('CONFIG_INVALID', `migrations/clickhouse/${name} was changed after it had run`)
    for (const sql of text.split(/;\s*$/m).filter((part) => part.trim() !== '')) await clickhouse.command({ sql }, call)
    await clickhouse.insert(
      {
        table: 'migrations',
        columns: ['name', 'checksum'],
        format: 'JSONEachRow',
        body: Buffer.from(JSON.stringify({ name, checksum })),
      },
      call,
    )
    applied.push(name)
  }
  return applied
}
