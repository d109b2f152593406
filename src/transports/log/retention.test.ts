import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemCall, systemClock, untilAborted } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { type LocalLog, type LocalLogOptions, openLocalLog } from './local-log.ts'

/* What was consumed is kept up to a size and for a time, each by itself. The clock that says how old it is stands still until it is moved. */

const cleanups: (() => Promise<unknown>)[] = []
let now = 0
const clock = { ...systemClock, now: () => now }

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A log of two partitions, of which everything is consumed at once. */
async function consumedLog(limits: Pick<LocalLogOptions, 'retainBytes' | 'retainMs'>): Promise<LocalLog> {
  now = Date.UTC(2026, 0, 1)
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-retention-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  const log = await openLocalLog({ dir, partitions: 2, clock, logger: silentLogger, minFreeBytes: 0, ...limits })
  cleanups.push(() => log.stop())
  await log.consume('all', async (lane) => {
    for (let next = 0; !lane.signal.aborted; ) {
      for (const { baseOffset, count } of await lane.read(next, { maxEvents: 100, maxBytes: 1e6, waitMs: 1_000 })) {
        next = baseOffset + count
        await lane.commit(next)
      }
    }
    await untilAborted(lane.signal)
  })
  return log
}

async function put(log: LocalLog, partition: number, times: number, bytes = 10): Promise<void> {
  for (let i = 0; i < times; i++) {
    const call = systemCall(systemClock, 10_000, new AbortController().signal)
    await log.append([{ partition, count: 1, bytes: Buffer.alloc(bytes, 'x') }], call)
  }
}

/** Where the partitions begin. */
const starts = (log: LocalLog): number[] => log.stats().partitions.map(({ start }) => start)
const within = { timeout: 10_000, interval: 50 }

it('gives up what is older than retainMs, however small it is, and nothing younger', async () => {
  const log = await consumedLog({ retainBytes: 1 << 30, retainMs: 60_000 })
  await put(log, 0, 3)
  now += 10_000
  await put(log, 1, 1)
  now += 30_000
  await put(log, 0, 2)
  now += 25_000
  await vi.waitFor(() => expect(starts(log)).toEqual([3, 0]), within)
  // One more round, which is seen at the other partition: the younger two stay.
  now += 10_000
  await vi.waitFor(() => expect(starts(log)).toEqual([3, 1]), within)
})

it('gives up the oldest of what is more than retainBytes, however young it is, and no more than that', async () => {
  const log = await consumedLog({ retainBytes: 200_000, retainMs: 86_400_000 })
  await put(log, 1, 9, 10_000)
  await put(log, 0, 30, 10_000)
  // Each partition has its half: nine rows and what belongs to them, and not ten.
  await vi.waitFor(() => expect(starts(log)).toEqual([21, 0]), within)
  await put(log, 1, 1, 10_000)
  // One more round, which is seen at the other partition.
  await vi.waitFor(() => expect(starts(log)).toEqual([21, 1]), within)
})
