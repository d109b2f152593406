import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { hold, put, readRecords, text } from './support.ts'

export function groupCases(tested: () => LogUnderTest): void {
  const values = ['a', 'b', 'c', 'd', 'e']

  async function fiveRecords(): Promise<number> {
    let number = 0
    for (const value of values) number = (await put(tested().log, 0, value, tested().few(3))).partition
    return number
  }

  describe('group', () => {
    it('a new one has committed 0', async () => {
      const partition = await fiveRecords()
      const held = await hold(tested().log, 'new')
      expect(await (await held.of(partition)).committed()).toBe(0)
      await held.stop()
    })

    it('what it committed is there for its next consumer, which goes on behind it', async () => {
      const partition = await fiveRecords()
      const held = await hold(tested().log, 'kept')
      const lane = await held.of(partition)
      const records = await readRecords(lane, await lane.committed(), 5)
      const next = records[1]!.baseOffset + records[1]!.count
      await lane.commit(next)
      await held.stop()
      const again = await hold(tested().log, 'kept')
      const other = await again.of(partition)
      const committed = await other.committed()
      expect(committed).toBeGreaterThanOrEqual(next)
      expect((await readRecords(other, committed, 3)).map(({ bytes }) => text(bytes))).toEqual(['c', 'd', 'e'])
      await again.stop()
    })

    it('the last commit counts', async () => {
      const partition = await fiveRecords()
      const held = await hold(tested().log, 'last')
      const lane = await held.of(partition)
      const records = await readRecords(lane, 0, 5)
      for (const { baseOffset, count } of records) await lane.commit(baseOffset + count)
      await lane.commit(records[3]!.baseOffset)
      expect(await lane.committed()).toBe(records[3]!.baseOffset)
      await held.stop()
    })

    it('a consumer that goes without a commit: the next one reads the same again', async () => {
      const partition = await fiveRecords()
      for (let i = 0; i < 2; i++) {
        const held = await hold(tested().log, 'dying')
        const lane = await held.of(partition)
        expect(await lane.committed()).toBe(0)
        expect((await readRecords(lane, 0, 5)).map(({ bytes }) => text(bytes))).toEqual(values)
        await held.stop()
      }
    })

    it('two groups are independent', async () => {
      const partition = await fiveRecords()
      const [one, two] = [await hold(tested().log, 'one'), await hold(tested().log, 'two')]
      const lanes = await Promise.all([one.of(partition), two.of(partition)])
      const [ofOne, ofTwo] = await Promise.all(lanes.map((lane) => readRecords(lane, 0, 5)))
      expect(ofOne).toEqual(ofTwo)
      await lanes[0]!.commit(ofOne![4]!.baseOffset + ofOne![4]!.count)
      expect(await lanes[1]!.committed()).toBe(0)
      await one.stop()
      // The one that is left is not disturbed.
      const { first } = await put(tested().log, 0, 'more')
      expect((await readRecords(lanes[1]!, first, 1)).map(({ bytes }) => text(bytes))).toEqual(['more'])
      await two.stop()
    })

    it('commits of its partitions are independent', async () => {
      const { log, few } = tested()
      const [a, b] = [await put(log, 0, 'a', few(2)), await put(log, 1, 'b', few(2))]
      const held = await hold(log, 'partitions')
      const lanes = await Promise.all([held.of(a.partition), held.of(b.partition)])
      await lanes[0]!.commit(a.last + 1)
      expect(await lanes[0]!.committed()).toBeGreaterThan(a.last)
      expect(await lanes[1]!.committed()).toBe(0)
      await held.stop()
    })
  })
}
