import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { silentLogger, systemCall, systemClock, untilAborted } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type LocalLog, openLocalLog } from './local-log.ts'

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
let dir: string
let log: LocalLog

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-log-'))
})
afterAll(async () => {
  await log?.stop()
  await rm(dir, { recursive: true, force: true })
})

const open = (): Promise<LocalLog> =>
  openLocalLog({
    dir,
    partitions: 1,
    clock: systemClock,
    logger: silentLogger,
    minFreeBytes: 0,
    retainBytes: 0,
    retainMs: 0,
  })

const traces = (): number => {
  const db = new DatabaseSync(join(dir, 'log.db'), { readOnly: true })
  const { n } = db.prepare('SELECT count(*) AS n FROM traces').get() as { n: number }
  db.close()
  return n
}

it('trace contexts are kept as long as their records, and a file without a place for them gets one', async () => {
  log = await open()
  await log.stop()
  const before = new DatabaseSync(join(dir, 'log.db'))
  before.exec('DROP TABLE traces')
  before.close()
  log = await open()
  const call = systemCall(systemClock, 10_000, new AbortController().signal)
  for (let i = 0; i < 5; i++) await log.append([{ partition: 0, count: 1, bytes: Buffer.from('x'), traceparent }], call)
  expect(traces()).toBe(5)
  await log.consume('reader', async (lane) => {
    await lane.commit(3)
    await untilAborted(lane.signal)
  })
  await vi.waitFor(() => expect(traces()).toBe(2), 5_000)
})
