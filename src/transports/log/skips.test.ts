import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { copyLog } from './copy-log.ts'
import { type LocalLog, openLocalLog } from './local-log.ts'
import { skipPlaces } from './skips.ts'

const call = systemCall(systemClock, 60_000, new AbortController().signal)
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function newDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-skips-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function open(dir: string, more: { retainBytes?: number } = {}): Promise<LocalLog> {
  const log = await openLocalLog({
    dir,
    partitions: 2,
    clock: systemClock,
    logger: silentLogger,
    minFreeBytes: 0,
    ...more,
  })
  cleanups.push(() => log.stop())
  return log
}

const append = (log: LocalLog, partition: number, count = 10) =>
  log.append([{ partition, count, bytes: Buffer.from(`${partition} ${count}`) }], call)

/** What a reader finds of a partition from a place on. */
async function read(log: LocalLog, partition: number, from: number) {
  const found = Promise.withResolvers<{ baseOffset: number; count: number }[]>()
  const consumption = await log.consume('reader', async (lane) => {
    if (lane.partition !== partition) return
    const records = await lane.read(from, { maxEvents: 1_000, maxBytes: 1 << 20, waitMs: 100 })
    found.resolve(records.map(({ baseOffset, count }) => ({ baseOffset, count })))
  })
  const records = await found.promise
  await consumption.stop()
  return records
}

describe('a log that was copied and restored', () => {
  it('goes on behind all that it may have given before, and says which places are nobody’s', async () => {
    const [source, copy] = [await newDir(), await newDir()]
    const log = await open(source)
    for (let n = 0; n < 3; n++) await append(log, 0)
    log.commit('storage', 0, 30)
    log.commit('sagas', 0, 20)
    const hold = log.hold()
    expect(hold.from).toEqual([20, 0])
    await append(log, 0)
    log.commit('sagas', 0, 40)
    const job = { fromDir: source, toDir: join(copy, 'log'), partitions: 2, from: hold.from, offsets: hold.offsets }
    expect(await copyLog(job, new AbortController().signal, async () => undefined)).toEqual([40, 0])
    hold.release()

    const now = Date.now()
    skipPlaces(join(copy, 'log'), now)
    skipPlaces(join(copy, 'log'), now) // restored twice
    const restored = await open(join(copy, 'log'))
    expect(restored.stats().partitions.map(({ start, end }) => [start, end])).toEqual([
      [20, 40],
      [0, 0],
    ])
    expect([restored.committed('storage', 0), restored.committed('sagas', 0)]).toEqual([30, 20])
    expect(restored.stats().lag).toEqual({ storage: 10, sagas: 20 })
    const [range] = await append(restored, 0)
    expect(range!.first).toBeGreaterThan(now * 1_024)
    expect([40, 41, range!.first, range!.first + 1].map((next) => restored.isSkipped!(0, next))).toEqual([
      false,
      true,
      true,
      false,
    ])
    expect(restored.stats().lag).toEqual({ storage: 20, sagas: 30 })
    expect(await read(restored, 0, 35)).toEqual([
      { baseOffset: 30, count: 10 },
      { baseOffset: range!.first, count: 10 },
    ])
    await cleanups.pop()!()
    // Also after a start of its own.
    const again = await open(join(copy, 'log'))
    expect((await append(again, 0))[0]!.first).toBe(range!.last + 1)
    expect(again.isSkipped!(0, 41)).toBe(true)
  })
})
