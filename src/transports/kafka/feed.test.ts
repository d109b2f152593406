import type { LogRecord } from '@splitstream/kernel'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Delivery, Feed } from './feed.ts'
import { placeOf } from './places.ts'

const limits = { maxEvents: 1_000, maxBytes: 1 << 20, waitMs: 0 }
const { signal } = new AbortController()

const record = (number: number, count = 10, size = 3): LogRecord => {
  const common = { partition: 1_000, appendedAt: 0, corrupt: false }
  return { ...common, baseOffset: placeOf(number), count, bytes: new Uint8Array(size) }
}

/** Records `from` … `last`, as a fetch from `from` brings them. */
const fetched = (from: number, last: number, more: { end?: number; size?: number } = {}): Delivery => {
  const records = Array.from({ length: last - from + 1 }, (_, i) => record(from + i, 10, more.size))
  return { from, last, records, end: more.end ?? last + 1 }
}

describe('the feed of a lane', () => {
  let told: string[]
  let feed: Feed
  const numbers = (records: readonly LogRecord[]): number[] => records.map((one) => one.baseOffset / placeOf(1))

  beforeEach(() => {
    told = []
    feed = new Feed({
      seek: (number) => void told.push(`seek ${number}`),
      pause: () => void told.push('pause'),
      resume: () => void told.push('resume'),
    })
  })

  it('keeps nothing before it was read, and pauses the consumer until then', async () => {
    feed.offer(fetched(0, 5))
    expect(told).toEqual(['pause'])
    const reading = feed.read(placeOf(3), { ...limits, waitMs: 1_000 }, signal)
    expect(told).toEqual(['pause', 'seek 3', 'resume'])
    feed.offer(fetched(3, 5))
    expect(numbers(await reading)).toEqual([3, 4, 5])
  })

  it('refuses what was fetched before a seek and would leave records out', async () => {
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 9))
    expect(numbers(await feed.read(0, limits, signal))).toHaveLength(10)
    const reading = feed.read(placeOf(2), { ...limits, waitMs: 1_000 }, signal)
    // The consumer had asked for what comes after 9 already.
    feed.offer(fetched(10, 12))
    feed.offer(fetched(2, 12))
    expect(numbers(await reading)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(told).toEqual(['seek 0', 'seek 2', 'seek 2'])
  })

  it('drops what it has when the consumer brings it again', async () => {
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 3))
    feed.offer(fetched(2, 5))
    expect(numbers(await feed.read(0, limits, signal))).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('leads nobody across records that are gone: says so, and goes on from where it is told to', async () => {
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 1))
    expect(feed.leavesOut(fetched(7, 8))).toBe(true)
    feed.learn(7, 9)
    feed.offer(fetched(7, 8))
    expect(feed.hole).toEqual({ from: 2, to: 7 })
    // What came before them is there all the same.
    expect(numbers(await feed.read(0, limits, signal))).toEqual([0, 1])
    const across = feed.read(placeOf(1) + 10, limits, signal)
    await expect(across).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('2 to 6') })
    expect(told).toEqual(['seek 0', 'pause'])
    // The bounds of the lane begin there: whoever is done with record 6 may go on.
    const reading = feed.read(placeOf(6) + 1, { ...limits, waitMs: 1_000 }, signal)
    expect(told).toEqual(['seek 0', 'pause', 'seek 7', 'resume'])
    feed.offer(fetched(7, 8))
    expect(numbers(await reading)).toEqual([7, 8])
  })

  it('tells a reader that waits for records that are gone', async () => {
    const reading = feed.read(placeOf(3), { ...limits, waitMs: 60_000 }, signal)
    feed.learn(5, 5)
    await expect(reading).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('keeps what was fetched before it was gone', async () => {
    await feed.read(0, limits, signal)
    feed.learn(2, 4)
    feed.offer(fetched(0, 3))
    expect(feed.hole).toBe(undefined)
    expect(numbers(await feed.read(0, limits, signal))).toEqual([0, 1, 2, 3])
  })

  it('goes on with the first record that is left when the one before it was read', async () => {
    await feed.read(placeOf(1) + 10, limits, signal)
    feed.learn(2, 4)
    feed.offer(fetched(2, 3))
    expect(numbers(await feed.read(placeOf(1) + 10, limits, signal))).toEqual([2, 3])
  })

  it('pauses the consumer with 4 MiB waiting, and resumes it when they are taken', async () => {
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 2, { size: 1 << 20 }))
    expect(told).toEqual(['seek 0'])
    feed.offer(fetched(3, 3, { size: 1 << 20 }))
    expect(told).toEqual(['seek 0', 'pause'])
    expect(numbers(await feed.read(0, { ...limits, maxEvents: 1 }, signal))).toEqual([0])
    expect(told).toEqual(['seek 0', 'pause', 'resume'])
  })

  it('jumps forward within what it has without a seek', async () => {
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 5))
    expect(numbers(await feed.read(placeOf(4) + 3, limits, signal))).toEqual([4, 5])
    expect(told).toEqual(['seek 0'])
  })

  it('from the gap behind a record gives the next one', async () => {
    const reading = feed.read(placeOf(1) + 10, { ...limits, waitMs: 1_000 }, signal)
    feed.offer(fetched(1, 1))
    feed.offer(fetched(2, 2))
    expect(numbers(await reading)).toEqual([2])
  })

  it('waits on for a record that is known to be there, however short the wait', async () => {
    feed.learn(0, 3)
    const reading = feed.read(0, limits, signal)
    expect(feed.waitsFor).toBe(0)
    feed.offer(fetched(0, 2))
    expect(numbers(await reading)).toEqual([0, 1, 2])
    expect(await feed.read(placeOf(3), limits, signal)).toEqual([])
    expect(feed.waitsFor).toBe(undefined)
  })

  it('tells a consumer that joined again where to go on, and whether to pause', async () => {
    feed.rejoined()
    await feed.read(0, limits, signal)
    feed.offer(fetched(0, 3, { size: 1 << 20 }))
    feed.rejoined()
    expect(told).toEqual(['resume', 'seek 0', 'pause', 'seek 4', 'pause'])
    // What it has is as good as before.
    expect(numbers(await feed.read(0, { ...limits, maxBytes: 8 << 20 }, signal))).toEqual([0, 1, 2, 3])
  })

  it('lets go of a reader whose lane is taken away', async () => {
    const stop = new AbortController()
    const reading = feed.read(0, { ...limits, waitMs: 60_000 }, stop.signal)
    stop.abort()
    expect(await reading).toEqual([])
  })
})
