import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { copyFiles } from '../../backup/copy/copy-files.ts'
import { writeSynced } from '../../backup/manifest.ts'
import type { FileTree } from '../file-tree.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { skipNumbers } from './skip-numbers.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(
  dataDir: string,
): Promise<{ server: EmbeddedPostgres; sql: (text: string) => Promise<unknown[]> }> {
  const server = await startEmbeddedPostgres({ dataDir })
  cleanups.push(() => server.stop())
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => {})
  await client.connect()
  cleanups.push(() => client.end())
  /** The values of the last of the statements. */
  const sql = async (text: string): Promise<unknown[]> => {
    let values: unknown[] = []
    for (const one of text.split(';')) values = (await client.query({ text: one, rowMode: 'array' })).rows.flat()
    return values
  }
  return { server, sql }
}

describe('a copy of a running Postgres', () => {
  it('is of the end of the copy, has what was written meanwhile, and gives no number twice', async () => {
    const home = await mkdtemp(join(tmpdir(), 'splitstream-base-backup-'))
    cleanups.push(() => rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
    const { server, sql } = await start(join(home, 'source'))
    await sql(`CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, n integer);
               CREATE SEQUENCE small AS integer; SELECT nextval('small'); INSERT INTO t (n) VALUES (1);
               CREATE TABLE gone AS SELECT generate_series(1, 1000) AS n`)
    const to = join(home, 'copy')
    await mkdir(to)
    let copies = 0
    const { label, at } = await server.backup(
      'cluster',
      async (tree: FileTree) => {
        // Between the list of the files and their copy.
        if (copies === 1) await sql('DROP TABLE gone; CHECKPOINT')
        await copyFiles(
          { ...tree, to, bytesPerSecond: 0, minFreeBytes: 0 },
          new AbortController().signal,
          () => undefined,
        )
        await sql(`INSERT INTO t (n) VALUES (${10 + copies++})`)
      },
      new AbortController().signal,
    )
    await sql('INSERT INTO t (n) VALUES (99)')
    await writeSynced(join(to, 'cluster', 'pgdata', 'backup_label'), label)
    expect(Date.now() - at.getTime()).toBeLessThan(60_000)

    const copy = await start(to)
    const found = await copy.sql('SELECT n FROM t ORDER BY id')
    expect(found.slice(0, 3)).toEqual([1, 10, 11])
    expect(found).not.toContain(99)
    const now = Date.now()
    await skipNumbers(copy.server.url, now)
    const [id] = await copy.sql('INSERT INTO t (n) VALUES (100) RETURNING id')
    expect(Number(id)).toBeGreaterThanOrEqual(now * 1_024)
    expect(Number((await copy.sql(`SELECT nextval('small')`))[0])).toBeLessThan(1_000)
    await skipNumbers(copy.server.url, now) // restored again from the same backup, at the same moment
    expect(Number((await copy.sql('INSERT INTO t (n) VALUES (101) RETURNING id'))[0])).toBeGreaterThan(Number(id))
  })

  it('that is aborted keeps no log of changes, though it hangs', async () => {
    const home = await mkdtemp(join(tmpdir(), 'splitstream-base-backup-'))
    cleanups.push(() => rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
    const { server, sql } = await start(join(home, 'source'))
    const stop = new AbortController()
    let copies = 0
    const hangs = (): Promise<void> => (++copies === 1 ? Promise.resolve() : new Promise(() => undefined))
    void server.backup('cluster', hangs, stop.signal)
    await expect.poll(() => copies).toBe(2)
    expect(await sql('SELECT slot_name FROM pg_replication_slots')).toHaveLength(1)
    stop.abort()
    await expect.poll(() => sql('SELECT slot_name FROM pg_replication_slots')).toEqual([])
  })
})
