import { copyFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Lane, silentLogger, systemCall, systemClock, untilAborted } from '@splitstream/kernel'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type LocalLog, type LocalLogOptions, openLocalLog } from './local-log.ts'
import { entryBytes } from './row.ts'

const never = new AbortController().signal
const call = () => systemCall(systemClock, 10_000, never)
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-log-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function logAt(dir: string, o: Partial<LocalLogOptions> = {}): Promise<LocalLog> {
  const log = await openLocalLog({
    dir,
    partitions: 2,
    clock: systemClock,
    logger: silentLogger,
    minFreeBytes: 0,
    ...o,
  })
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= log.stop()
    return stopped
  }
  cleanups.push(stop)
  return { ...log, stop }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const put = (log: LocalLog, partition: number, value: string, count = 1) =>
  log.append([{ partition, count, bytes: Buffer.from(value) }], call())

/** Reads a whole partition as a group of its own. */
async function readAll(log: LocalLog, partition: number, group = 'reader') {
  const { promise, resolve, reject } = Promise.withResolvers<{ at: number; value: string; corrupt: boolean }[]>()
  const consumption = await log.consume(group, async (lane: Lane) => {
    if (lane.partition !== partition) return untilAborted(lane.signal)
    try {
      const found = []
      for (let next = (await lane.bounds()).start; next < (await lane.bounds()).end; ) {
        for (const r of await lane.read(next, { maxEvents: 100, maxBytes: 1e6, waitMs: 0 })) {
          found.push({ at: r.baseOffset, value: text(r.bytes), corrupt: r.corrupt })
          next = r.baseOffset + r.count
        }
      }
      resolve(found)
    } catch (error) {
      reject(error)
    }
    await untilAborted(lane.signal)
  })
  const found = await promise
  await consumption.stop()
  return found
}

describe('the local log as a file', () => {
  it('keeps records and offsets over a restart, and goes on without a gap', async () => {
    const dir = await folder()
    const log = await logAt(dir)
    await Promise.all([put(log, 0, 'a', 3), put(log, 0, 'b'), put(log, 1, 'c')])
    await log.stop()
    const again = await logAt(dir)
    expect(await put(again, 0, 'd')).toEqual([{ partition: 0, first: 4, last: 4 }])
    expect((await readAll(again, 0)).map((r) => [r.at, r.value])).toEqual([
      [0, 'a'],
      [3, 'b'],
      [4, 'd'],
    ])
  })

  it('gives much at once in pieces: all that has room, once, and others go on meanwhile', async () => {
    const log = await logAt(await folder())
    const values = Array.from({ length: 300 }, (_, i) => `${i} `.padEnd(40_000, '.'))
    for (const value of values) await put(log, 0, value, 2)
    const { promise: held, resolve: hold } = Promise.withResolvers<Lane>()
    await log.consume('reader', async (lane) => {
      if (lane.partition === 0) hold(lane)
      await untilAborted(lane.signal)
    })
    const lane = await held
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    const read = async (maxEvents: number, maxBytes: number) =>
      (await lane.read(0, { maxEvents, maxBytes, waitMs: 0 })).map(({ bytes }) => text(bytes))
    expect(await read(1e6, 1e9)).toEqual(values)
    clearInterval(counting)
    expect(turns).toBeGreaterThan(2)
    expect(await read(411, 1e9)).toEqual(values.slice(0, 205))
    expect(await read(1e6, 4_000_000)).toEqual(values.slice(0, 100))
    expect(await read(1, 1)).toEqual(values.slice(0, 1))
  })

  it('refuses another number of partitions, and a second process on the directory', async () => {
    const dir = await folder()
    const log = await logAt(dir)
    await expect(logAt(dir)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('DATA_DIR'),
    })
    await log.stop()
    await expect(logAt(dir, { partitions: 3 })).rejects.toMatchObject({
      message: expect.stringContaining('LOG_PARTITIONS'),
    })
  })

  it('drops a torn tail that was never whole, and keeps what was acknowledged before', async () => {
    const dir = await folder()
    const log = await logAt(dir)
    for (let i = 0; i < 20; i++) await put(log, 0, `value ${i}`)
    const copy = await folder()
    for (const name of ['log.db', 'log.db-wal']) await copyFile(join(dir, name), join(copy, name))
    const wal = await open(join(copy, 'log.db-wal'), 'r+')
    const { size } = await wal.stat()
    await wal.write(Buffer.alloc(100, 0xee), 0, 100, size - 100)
    await wal.close()
    const torn = await logAt(copy)
    const found = await readAll(torn, 0)
    expect(found).toHaveLength(19)
    expect(found.every((r) => !r.corrupt)).toBe(true)
  })

  it('reports a flipped bit as a corrupt record with its place', async () => {
    const dir = await folder()
    const log = await logAt(dir)
    await put(log, 0, 'a'.repeat(200), 5)
    await put(log, 0, 'b'.repeat(200), 7)
    await log.stop()
    const path = join(dir, 'log.db')
    const file = await readFile(path)
    const at = file.indexOf('a'.repeat(100))
    file[at] = file[at]! ^ 1
    await writeFile(path, file)
    const again = await logAt(dir)
    expect((await readAll(again, 0)).map((r) => [r.at, r.corrupt])).toEqual([
      [0, true],
      [5, false],
    ])
  })

  it('syncs fully and writes ahead: what COMMIT promises', async () => {
    const dir = await folder()
    await logAt(dir)
    const db = new DatabaseSync(join(dir, 'log.db'), { readOnly: true })
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    db.close()
    const source = await readFile(new URL('./file.ts', import.meta.url), 'utf8')
    expect(source).toContain('synchronous = FULL')
  })

  it('gives up only what every group has consumed', async () => {
    const dir = await folder()
    const log = await logAt(dir, { retainBytes: 0, retainMs: 0 })
    for (let i = 0; i < 50; i++) await put(log, 0, `value ${i}`)
    const { promise: done, resolve } = Promise.withResolvers<void>()
    await log.consume('slow', async (lane) => {
      if (lane.partition === 0) {
        await lane.commit(20)
        await systemClock.sleep(1_500)
        expect((await lane.bounds()).start).toBe(20)
        await lane.commit(50)
        await systemClock.sleep(1_500)
        expect(await lane.bounds()).toEqual({ start: 50, end: 50 })
        resolve()
      }
      await untilAborted(lane.signal)
    })
    await done
    await log.stop()
    expect(await put(await logAt(dir), 0, 'next')).toEqual([{ partition: 0, first: 50, last: 50 }])
  }, 10_000)

  it('waits for the groups that it is told of, whether they have come or not, and for no other', async () => {
    const dir = await folder()
    /** @returns where partition 0 begins after that */
    const take = async (log: LocalLog, group: string, upTo: number) => {
      const consumption = await log.consume(group, async (lane) => {
        await lane.commit(Math.min(upTo, (await lane.bounds()).end))
        await untilAborted(lane.signal)
      })
      await systemClock.sleep(1_500)
      await consumption.stop()
      return log.stats().partitions[0]?.start
    }
    const options = { retainBytes: 0, retainMs: 0 }
    const one = await logAt(dir, { ...options, groups: ['storage', 'sagas'] })
    for (let i = 0; i < 50; i++) await put(one, 0, `value ${i}`)
    expect(await take(one, 'storage', 40)).toBe(0)
    expect(await take(one, 'sagas', 10)).toBe(10)
    await one.stop()
    const without = await logAt(dir, { ...options, groups: ['storage'] })
    expect(await take(without, 'storage', 30)).toBe(30)
    await without.stop()
    const again = await logAt(dir, { ...options, groups: ['storage', 'sagas'] })
    expect(again.stats().lag).toEqual({ storage: 20, sagas: 40 })
    expect(await take(again, 'storage', 50)).toBe(30)
  }, 20_000)

  it('gives the space of what it gave up back to the disk', async () => {
    const dir = await folder()
    const log = await logAt(dir, { retainBytes: 0, retainMs: 0 })
    for (let i = 0; i < 160; i++) await put(log, i % 2, 'x'.repeat(1 << 20))
    const size = async (): Promise<number> => (await stat(join(dir, 'log.db'))).size
    await log.consume('all', async (lane) => {
      await lane.commit((await lane.bounds()).end)
      await untilAborted(lane.signal)
    })
    // 64 MiB of free pages are kept; the rest goes with the trims, and from the file at the checkpoint.
    await vi.waitFor(() => expect(log.stats().partitions.map((p) => p.bytes)).toEqual([0, 0]), 10_000)
    await vi.waitFor(
      async () => {
        await put(log, 0, 'y'.repeat(1 << 20))
        expect(await size()).toBeLessThan(100 << 20)
      },
      { timeout: 20_000, interval: 200 },
    )
    expect((await readAll(log, 1)).length).toBe(0)
  }, 40_000)

  it('keeps up with many small rows', async () => {
    const log = await logAt(await folder(), { retainBytes: 0, retainMs: 0 })
    for (let i = 0; i < 1_500; i++) await put(log, 0, 'x')
    await log.consume('all', async (lane) => {
      await lane.commit((await lane.bounds()).end)
      await untilAborted(lane.signal)
    })
    await vi.waitFor(() => expect(log.stats().partitions[0]).toEqual({ start: 1_500, end: 1_500, bytes: 0 }), 3_000)
  }, 20_000)

  it('refuses appends with DISK_FULL while the disk is nearly full', async () => {
    const log = await logAt(await folder(), { minFreeBytes: 2 ** 60 })
    await systemClock.sleep(700)
    await expect(put(log, 0, 'x')).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(log.health().state).toBe('degraded')
  })

  it('knows at once how many bytes it holds', async () => {
    const log = await logAt(await folder())
    let expected = 0
    for (const value of ['a', 'bb', 'x'.repeat(1_000)]) {
      await put(log, 1, value)
      expected += entryBytes(Buffer.from(value))
      expect(log.stats().partitions.map(({ bytes }) => bytes)).toEqual([0, expected])
    }
    // Also after the upkeep.
    await systemClock.sleep(1_200)
    expect(log.stats().partitions.map(({ bytes }) => bytes)).toEqual([0, expected])
  })

  it('pushes back when too many bytes wait', async () => {
    const log = await logAt(await folder(), { maxPendingBytes: 1000 })
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => put(log, 0, 'x'.repeat(200))))
    expect(results.filter((r) => r.status === 'rejected').length).toBe(15)
    expect(results.find((r) => r.status === 'rejected')?.reason).toMatchObject({ code: 'OVERLOADED' })
    await put(log, 0, 'later')
  })
})
