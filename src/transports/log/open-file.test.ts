import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OpenFile } from './open-file.ts'
import { LogFileReader } from './reader.ts'
import { buffersOf, packRow } from './row.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-open-file-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

it('gives back the memory of what it has written, which may be handed over in several pieces', async () => {
  const file = new OpenFile(dir, 1)
  const bytes = [50_000, 10, 40_000].map((size) => new Uint8Array(randomBytes(size)))
  const entries = bytes.map((one) => ({ count: 1, bytes: one.slice(), transfer: true }))
  const row = packRow(0, 0, entries)
  const buffers = buffersOf([row])
  expect(buffers.length).toBe(3)
  file.commit({ kind: 'commit', rows: [row], traces: [], offsets: [], appendedAt: 1 })
  expect(buffers.map(({ byteLength }) => byteLength)).toEqual([0, 0, 0])
  const reader = new LogFileReader(dir, 1)
  const records = await reader.read(0, 0, { maxEvents: 10, maxBytes: 1e6 })
  expect(records.map((record) => Buffer.from(record.bytes).equals(bytes[record.baseOffset]!))).toEqual([
    true,
    true,
    true,
  ])
  reader.close()
  file.close()
})
