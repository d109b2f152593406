import { type Lane, type LogRange, partitionsPerLog } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { type HeldLanes, hold, put, readRecords, text, until } from './support.ts'

const plenty = { maxEvents: 1_000_000, maxBytes: 64 << 20, waitMs: 10_000 }

export function readCases(tested: () => LogUnderTest): void {
  /** Ten records of ten events, or as many as there may be, and 1,000 bytes each, and the lane that has them. */
  async function tenRecords(): Promise<{ ranges: LogRange[]; lane: Lane; held: HeldLanes; count: number }> {
    const { log, few } = tested()
    const count = few(10)
    const ranges: LogRange[] = []
    for (let i = 0; i < 10; i++) ranges.push(await put(log, 0, String(i).repeat(1_000), count))
    const held = await hold(log, 'reads')
    return { ranges, lane: await held.of(ranges[0]!.partition), held, count }
  }

  describe('read', () => {
    it('from within a record gives the whole record, and those behind it', async () => {
      const { ranges, lane, held, count } = await tenRecords()
      for (const from of [ranges[4]!.first, ranges[4]!.first + (count >> 1), ranges[4]!.last]) {
        const records = await readRecords(lane, from, 6)
        expect(records.map(({ baseOffset }) => baseOffset)).toEqual(ranges.slice(4).map(({ first }) => first))
      }
      await held.stop()
    })

    it('takes no more events than asked for', async () => {
      const { ranges, lane, held, count } = await tenRecords()
      await readRecords(lane, 0, 10)
      const records = await lane.read(ranges[2]!.first, { ...plenty, maxEvents: 3.5 * count })
      expect(records.length).toBeGreaterThan(0)
      expect(records.length).toBeLessThanOrEqual(3)
      expect(records[0]!.baseOffset).toBe(ranges[2]!.first)
      await held.stop()
    })

    it('takes no more bytes than asked for', async () => {
      const { ranges, lane, held } = await tenRecords()
      const records = await lane.read(ranges[2]!.first, { ...plenty, maxBytes: 2_500 })
      expect(records.length).toBeGreaterThan(0)
      expect(records.length).toBeLessThanOrEqual(2)
      expect(records[0]!.baseOffset).toBe(ranges[2]!.first)
      await held.stop()
    })

    it('gives one record at least, however small the limits are', async () => {
      const { ranges, lane, held, count } = await tenRecords()
      const [byEvents, ...more] = await lane.read(ranges[5]!.first, { ...plenty, maxEvents: 1 })
      expect(byEvents).toMatchObject({ baseOffset: ranges[5]!.first, count })
      const [byBytes, ...evenMore] = await lane.read(ranges[6]!.first, { ...plenty, maxBytes: 1 })
      expect(byBytes!.bytes.length).toBe(1_000)
      expect([...more, ...evenMore]).toEqual([])
      await held.stop()
    })

    it('with small limits, one after another, gives everything once and in order', async () => {
      const { ranges, lane, held, count } = await tenRecords()
      const records = await readRecords(lane, 0, 10, { maxEvents: 1.5 * count, maxBytes: 1_500 })
      expect(records.map(({ baseOffset }) => baseOffset)).toEqual(ranges.map(({ first }) => first))
      await held.stop()
    })

    it('takes nothing out: the same again is the same', async () => {
      const { lane, held } = await tenRecords()
      const first = await readRecords(lane, 0, 10)
      expect(await readRecords(lane, 0, 10)).toEqual(first)
      await held.stop()
    })

    it('goes back, and forward again, to where it is told', async () => {
      const { ranges, lane, held } = await tenRecords()
      for (const i of [9, 0, 5, 4, 3, 8, 1, 1, 9, 0, 7]) {
        const [record] = await lane.read(ranges[i]!.first, { ...plenty, maxEvents: 1 })
        expect(text(record!.bytes)[0]).toBe(String(i))
      }
      const records = await readRecords(lane, 0, 10)
      expect(records.map(({ baseOffset }) => baseOffset)).toEqual(ranges.map(({ first }) => first))
      await held.stop()
    })

    it('is empty after the wait when there is nothing', async () => {
      const { ranges, lane, held } = await tenRecords()
      await readRecords(lane, 0, 10)
      const begun = performance.now()
      expect(await lane.read(ranges[9]!.last + 1, { ...plenty, waitMs: 300 })).toEqual([])
      // Timers may be a little early.
      expect(performance.now() - begun).toBeGreaterThan(295)
      expect(performance.now() - begun).toBeLessThan(3_000)
      await held.stop()
    })

    it('that waits is woken by an append', async () => {
      const { ranges, lane, held } = await tenRecords()
      await readRecords(lane, 0, 10)
      const begun = performance.now()
      const waiting = lane.read(ranges[9]!.last + 1, { ...plenty, waitMs: 30_000 })
      await put(tested().log, 0, 'the eleventh')
      expect((await waiting).map(({ bytes }) => text(bytes))).toEqual(['the eleventh'])
      expect(performance.now() - begun).toBeLessThan(10_000)
      await held.stop()
    })

    it('without a wait gives what the bounds told of', async () => {
      const { ranges, lane, held } = await tenRecords()
      const { start, end } = await lane.bounds()
      const found: number[] = []
      for (let next = start; next < end; ) {
        const records = await lane.read(next, { maxEvents: 2.5 * tested().few(10), maxBytes: 1 << 20, waitMs: 0 })
        if (records.length === 0) break
        for (const { baseOffset, count } of records) {
          found.push(baseOffset)
          next = baseOffset + count
        }
      }
      expect(found).toEqual(ranges.map(({ first }) => first))
      await held.stop()
    })

    it('of a lane that is taken away returns soon', async () => {
      const { log } = tested()
      const { partition } = await put(log, 0, 'only')
      let read: Promise<unknown> | undefined
      const consumption = await log.consume('aborted', async (lane) => {
        if (lane.partition !== partition) return
        await readRecords(lane, 0, 1)
        const { end } = await lane.bounds()
        read = lane.read(end, { ...plenty, waitMs: 60_000 })
        await read
      })
      await until(() => read !== undefined)
      const begun = performance.now()
      await consumption.stop()
      expect(performance.now() - begun).toBeLessThan(10_000)
      expect(await read).toEqual([])
    })
  })

  describe('the end', () => {
    it('is behind all that was acknowledged, if it is known, and that of no other log', async () => {
      const { log, few } = tested()
      const { partition, last } = await put(log, 0, 'last', few(3))
      expect([undefined, last + 1]).toContain(log.end(partition))
      const { partition: before } = await put(log, 0, 'again')
      expect(log.end(before) ?? Number.POSITIVE_INFINITY).toBeGreaterThan(last + 1)
      expect([log.end(partitionsPerLog * 7), log.end(log.partitions)]).toEqual([undefined, undefined])
    })
  })

  describe('bounds', () => {
    it('are the oldest record and the offset that the next append gets', async () => {
      const { ranges, lane, held } = await tenRecords()
      const before = await lane.bounds()
      expect(before.start).toBe(ranges[0]!.first)
      expect(before.end).toBeGreaterThan(ranges[9]!.last)
      const next = await put(tested().log, 0, 'next', tested().few(4))
      expect(next.first).toBe(before.end)
      const after = await lane.bounds()
      expect(after.start).toBe(before.start)
      expect(after.end).toBeGreaterThan(next.last)
      await held.stop()
    })

    it('of an empty partition are equal, and a read from there waits for the first record', async () => {
      const { log } = tested()
      const held = await hold(log, 'empty')
      await until(() => held.lanes.size === log.partitions)
      const [lane] = held.lanes.values()
      const { start, end } = await lane!.bounds()
      expect(start).toBe(end)
      const waiting = lane!.read(start, { ...plenty, waitMs: 30_000 })
      const all = Array.from({ length: log.partitions }, (_, p) => put(log, p, `first of ${p}`))
      const own = (await Promise.all(all)).find(({ partition }) => partition === lane!.partition)
      expect((await waiting)[0]).toMatchObject({ baseOffset: own!.first, count: 1 })
      expect(own!.first).toBe(start)
      await held.stop()
    })
  })
}
