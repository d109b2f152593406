import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { filePath } from './file.ts'
import { unpackRow } from './row.ts'

const node = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url))
const fixture = fileURLToPath(new URL('./limited.fixture.ts', import.meta.url))

interface Outcome {
  readonly outcomes: readonly string[]
  readonly acknowledged: number
  readonly unknown: number
  readonly lost?: string
  readonly places: Readonly<Record<string, number>>
}

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-log-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** Appends in a process none of whose files may grow beyond `mib`: a write beyond is an I/O error to SQLite, as one of a disk. */
async function append(records: number, mib: number | undefined): Promise<Outcome> {
  // POSIX: in units of 512 bytes.
  const limit = mib === undefined ? 'unlimited' : String((mib << 20) / 512)
  const args = ['-c', `ulimit -f ${limit} && exec "$@"`, 'sh', node, fixture, dir, String(records)]
  const { stdout } = await promisify(execFile)('sh', args, { timeout: 50_000 })
  return JSON.parse(stdout) as Outcome
}

/** The number that each record begins with, by its place. */
function stored(): Record<number, number> {
  const db = new DatabaseSync(filePath(dir), { readOnly: true })
  try {
    const found: Record<number, number> = {}
    for (const row of db.prepare('SELECT base_offset, bytes FROM partition_0 ORDER BY base_offset').iterate()) {
      for (const { bytes, baseOffset } of unpackRow(Number(row.base_offset), row.bytes as Uint8Array)) {
        found[baseOffset] = Number.parseInt(Buffer.from(bytes.subarray(0, 10)).toString(), 10)
      }
    }
    return found
  } finally {
    db.close()
  }
}

describe('a log whose file cannot be written', () => {
  it('recovers from the last durable point and goes on, without a restart', async () => {
    // The write-ahead log has each record and reaches the limit first; the file takes them over.
    const { outcomes, acknowledged, unknown, lost, places } = await append(90, 7)
    expect(lost).toBeUndefined()
    expect(outcomes).toEqual(expect.arrayContaining(['UNKNOWN_OUTCOME', 'ok']))
    expect(outcomes.at(-1)).toBe('ok')
    expect([acknowledged, unknown > 0]).toEqual([90, true])
    expect(stored()).toMatchObject(places)
  })

  it('gives up after some attempts and says so; after a restart all that was acknowledged is there', async () => {
    const { outcomes, acknowledged, lost, places } = await append(10_000, 2)
    expect(lost).toMatch(/^the event log cannot be written: .*8 failures in a row/)
    expect(outcomes.at(-1)).toBe('UNAVAILABLE')
    expect(acknowledged).toBeGreaterThan(10)
    expect(Object.keys(places)).toHaveLength(acknowledged)
    expect((await append(5, undefined)).outcomes).toEqual(['ok'])
    expect(stored()).toMatchObject(places)
  })
})
