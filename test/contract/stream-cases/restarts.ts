import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { call, hold, put, readAll, readRecords, text } from './support.ts'

export function restartCases(tested: () => LogUnderTest): void {
  describe('closed and opened again', () => {
    it('records are there, and offsets go on', async () => {
      const before = await put(tested().log, 0, 'before', tested().few(3))
      await tested().reopen()
      const after = await put(tested().log, 0, 'after', tested().few(2))
      expect(after.partition).toBe(before.partition)
      expect(after.first).toBeGreaterThan(before.last)
      const records = await readAll(tested().log, before.partition, 2)
      expect(records.map(({ baseOffset, count, bytes }) => [baseOffset, count, text(bytes)])).toEqual([
        [before.first, tested().few(3), 'before'],
        [after.first, tested().few(2), 'after'],
      ])
    })

    it('commits are there', async () => {
      const first = await put(tested().log, 0, 'done', tested().few(5))
      const second = await put(tested().log, 0, 'not done', tested().few(5))
      const held = await hold(tested().log, 'restarted')
      await (await held.of(first.partition)).commit(first.last + 1)
      await tested().reopen()
      const again = await hold(tested().log, 'restarted')
      const lane = await again.of(first.partition)
      const committed = await lane.committed()
      expect(committed).toBeGreaterThan(first.last)
      expect(committed).toBeLessThanOrEqual(second.first)
      expect((await readRecords(lane, committed, 1)).map(({ bytes }) => text(bytes))).toEqual(['not done'])
      await again.stop()
    })

    it('an append that was under way at the stop is finished, and there', async () => {
      const { log } = tested()
      const appends = Array.from({ length: 20 }, (_, i) =>
        log.append([{ partition: 0, count: 1, bytes: i % 2 ? Buffer.from(`${i}`) : new Uint8Array(0) }], call()),
      )
      const results = Promise.all(appends)
      await tested().stop()
      const ranges = (await results).flat()
      await tested().reopen()
      const records = await readAll(tested().log, ranges[0]!.partition, 20)
      expect(records.map(({ baseOffset }) => baseOffset)).toEqual(ranges.map(({ first }) => first))
    })
  })
}
