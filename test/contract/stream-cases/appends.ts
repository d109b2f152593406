import { setTimeout as delay } from 'node:timers/promises'
import {
  checkPosition,
  covers,
  decodePosition,
  encodePosition,
  type LogRange,
  type Position,
} from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { call, hold, put, readAll, readRecords, text } from './support.ts'

const entry = (partition: number, value: string, count: number) => ({ partition, count, bytes: Buffer.from(value) })

/** The point after everything that the ranges name. */
function after(ranges: readonly LogRange[]): Position {
  const position = new Map<number, number>()
  for (const { partition, last } of ranges) position.set(partition, Math.max(position.get(partition) ?? 0, last + 1))
  return position
}

export function appendCases(tested: () => LogUnderTest): void {
  describe('append', () => {
    it('ranges come in the order of the entries, one for each, and are inclusive', async () => {
      const { log, few } = tested()
      const counts = [3, 1, 7, 2, 5].map(few)
      const order = [2, 0, 2, 1, 0]
      const ranges = await log.append(
        order.map((partition, i) => entry(partition, `e${i}`, counts[i]!)),
        call(),
      )
      expect(ranges.map(({ first, last }) => last - first + 1)).toEqual(counts)
      const numbers = ranges.map(({ partition }) => partition)
      expect(numbers[0]).toBe(numbers[2])
      expect(numbers[1]).toBe(numbers[4])
      expect(new Set(numbers).size).toBe(3)
      const records = await readAll(log, numbers[0]!, 2)
      expect(records.map(({ baseOffset, count, bytes }) => [baseOffset, count, text(bytes)])).toEqual([
        [ranges[0]!.first, few(3), 'e0'],
        [ranges[2]!.first, few(7), 'e2'],
      ])
    })

    it('offsets grow; there is no gap within a record, and the next one never overlaps it', async () => {
      const { log, few } = tested()
      const counts = [1, 50_000, 2, 1, 1_000].map(few)
      const ranges: LogRange[] = []
      for (const count of counts) ranges.push(await put(log, 1, 'x', count))
      for (const [i, { first, last }] of ranges.entries()) {
        expect(last - first + 1).toBe(counts[i])
        if (i > 0) expect(first).toBeGreaterThan(ranges[i - 1]!.last)
      }
      const records = await readAll(log, ranges[0]!.partition, 5)
      expect(records.map(({ baseOffset, count }) => [baseOffset, baseOffset + count - 1])).toEqual(
        ranges.map(({ first, last }) => [first, last]),
      )
    })

    it('one event is a range of one', async () => {
      const { first, last } = await put(tested().log, 0, 'one')
      expect(last).toBe(first)
    })

    it('a record of 50,000 events is one record', async () => {
      const { log, few } = tested()
      const range = await put(log, 3, 'x'.repeat(100_000), few(50_000))
      const [record, ...more] = await readAll(log, range.partition, 1)
      expect(record).toMatchObject({ baseOffset: range.first, count: few(50_000), partition: range.partition })
      expect(more).toEqual([])
    })

    it('every partition has a number of its own, the same each time', async () => {
      const { log } = tested()
      const all = Array.from({ length: log.partitions }, (_, p) => p)
      const number = async (p: number): Promise<number> => (await put(log, p, 'x')).partition
      const numbers = await Promise.all(all.map(number))
      expect(new Set(numbers).size).toBe(log.partitions)
      expect(await Promise.all(all.map(number))).toEqual(numbers)
    })

    it('of one caller, one after another, stay in that order', async () => {
      const { log } = tested()
      const values = Array.from({ length: 30 }, (_, i) => `value ${i}`)
      let partition = 0
      for (const value of values) partition = (await put(log, 2, value)).partition
      expect((await readAll(log, partition, 30)).map(({ bytes }) => text(bytes))).toEqual(values)
    })

    it('begun one after another without waiting, stay in that order too', async () => {
      const { log } = tested()
      const values = Array.from({ length: 50 }, (_, i) => `value ${i}`)
      const ranges = await Promise.all(values.map((value) => put(log, 2, value)))
      const records = await readAll(log, ranges[0]!.partition, 50)
      expect(records.map(({ bytes }) => text(bytes))).toEqual(values)
      expect(records.map(({ baseOffset }) => baseOffset)).toEqual(ranges.map(({ first }) => first))
    })

    it('300 at the same time: each is there once, in the order that the ranges say', async () => {
      const { log, few } = tested()
      const appends = Array.from({ length: 300 }, async (_, i) => {
        const value = `append ${i}`
        if (i % 7 === 0) await delay(i % 20)
        const [range] = await log.append([entry(i % 4, value, few(1 + (i % 3)))], call())
        return { value, ...range! }
      })
      const appended = await Promise.all(appends)
      const held = await hold(log, 'all')
      for (const partition of new Set(appended.map((one) => one.partition))) {
        const expected = appended.filter((one) => one.partition === partition).sort((a, b) => a.first - b.first)
        const records = await readRecords(await held.of(partition), 0, expected.length)
        expect(records.map(({ baseOffset, bytes }) => [baseOffset, text(bytes)])).toEqual(
          expected.map(({ first, value }) => [first, value]),
        )
      }
      await held.stop()
    })

    it('the time of a record is that of its append', async () => {
      const { log } = tested()
      const before = Date.now()
      const { partition } = await put(log, 0, 'now')
      const now = Date.now()
      const [record] = await readAll(log, partition, 1)
      expect(record!.appendedAt).toBeGreaterThanOrEqual(before)
      expect(record!.appendedAt).toBeLessThanOrEqual(now)
      expect(record!.corrupt).toBe(false)
    })

    it('a position made of the ranges is covered by what was read, and by nothing before', async () => {
      const { log, few } = tested()
      await put(log, 0, 'before', few(2))
      const ranges = await log.append([entry(0, 'a', few(3)), entry(0, 'b', few(2)), entry(2, 'c', 1)], call())
      const wanted = decodePosition(encodePosition(after(ranges)))
      expect(() => checkPosition(encodePosition(wanted), log.partitions)).not.toThrow()
      const reached = new Map<number, number>()
      const held = await hold(log, 'positions')
      for (const [partition, count] of [[ranges[0]!.partition, 3] as const, [ranges[2]!.partition, 1] as const]) {
        for (const record of await readRecords(await held.of(partition), 0, count)) {
          expect(covers(reached, wanted)).toBe(false)
          reached.set(partition, record.baseOffset + record.count)
        }
      }
      expect(covers(reached, wanted)).toBe(true)
      await held.stop()
    })
  })
}
