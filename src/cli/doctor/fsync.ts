import { mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { dataPlace } from './data-dir.ts'
import { ms } from './units.ts'

/** Appends of the log are about as large, bytes. */
const sizes = [4, 16, 64].map((kib) => kib << 10)
const measureMs = 2_000
/** The file grows to that, and is written over from its beginning then. */
const maxFileBytes = 32 << 20

export interface SyncTimes {
  readonly count: number
  readonly p50: number
  readonly p99: number
}

export function fsyncCheck({ DATA_DIR }: Config): Check {
  return { name: 'fsync', run: (signal) => checkSync(DATA_DIR, signal) }
}

async function checkSync(dataDir: string, signal: AbortSignal): Promise<Finding> {
  const { path } = await dataPlace(dataDir)
  const times = await measureSync(path, signal).catch((error: unknown) => messageOf(error))
  if (typeof times !== 'string') return judgeSync(times)
  return fail(times, 'nothing can be written there: make room, give the folder to this account, or set DATA_DIR')
}

/** Appends and makes them durable, as the log does, in a file of its own that is removed again. */
export async function measureSync(folder: string, signal: AbortSignal, forMs = measureMs): Promise<SyncTimes> {
  const { bavail, bsize } = await statfs(folder)
  const room = Math.min(maxFileBytes, Math.floor((bavail * bsize) / 4))
  const own = await mkdtemp(join(folder, '.doctor-'))
  const times: number[] = []
  try {
    const file = await open(join(own, 'appends'), 'w')
    try {
      const block = Buffer.alloc(sizes.at(-1)!, 'x')
      let at = 0
      for (const end = performance.now() + forMs; performance.now() < end && !signal.aborted; ) {
        const size = sizes[times.length % sizes.length]!
        if (at + size > room) at = 0
        const from = performance.now()
        await file.write(block, 0, size, at)
        await file.datasync()
        times.push(performance.now() - from)
        at += size
      }
    } finally {
      await file.close()
    }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return { count: times.length, p50: at(0.5), p99: at(0.99) }
}

/** Faster than any device that keeps what it is given without power, ms. */
const incredibleMs = 0.02
const [slowMs, badMs] = [25, 250]

export function judgeSync({ count, p50, p99 }: SyncTimes): Finding {
  const found = `p50 ${ms(p50)}, p99 ${ms(p99)} over ${count} appends of 4 to 64 KiB`
  if (p99 > badMs) {
    return fail(
      found,
      `every acknowledgement waits for one: requests take ${ms(p99)} now and then; set DATA_DIR to another disk`,
    )
  }
  if (p99 > slowMs) {
    const felt = `a 202 takes ${ms(p50)} to ${ms(p99)}, and one client that waits for each gets about ${Math.round(1000 / p50)} a second`
    return warn(found, `${felt}: an SSD of its own for DATA_DIR is better, or larger batches`)
  }
  if (p50 < incredibleMs) {
    return warn(found, 'no disk is that fast: fsync does not reach one, and a power cut can lose what was acknowledged')
  }
  return ok(found)
}
