import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { call, hold, put, readAll, readRecords } from './support.ts'

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function byteCases(tested: () => LogUnderTest): void {
  /** What comes back of a record. */
  async function roundTrip(bytes: Uint8Array): Promise<Uint8Array> {
    const { partition } = await put(tested().log, 0, bytes)
    const [record] = await readAll(tested().log, partition, 1)
    expect(record!.corrupt).toBe(false)
    return record!.bytes
  }

  describe('bytes', () => {
    it('none at all are a record too', async () => {
      const { log, few } = tested()
      const { partition } = await put(log, 0, new Uint8Array(0), few(3))
      await put(log, 0, 'next')
      const records = await readAll(log, partition, 2)
      expect(records.map(({ count, bytes, corrupt }) => [count, bytes.length, corrupt])).toEqual([
        [few(3), 0, false],
        [1, 4, false],
      ])
    })

    it('every value that a byte can have comes back', async () => {
      const all = Uint8Array.from({ length: 512 }, (_, i) => i)
      expect(Buffer.compare(await roundTrip(all), all)).toBe(0)
    })

    it('8 MiB come back', async () => {
      const bytes = randomBytes(8 << 20)
      expect(Buffer.compare(await roundTrip(bytes), bytes)).toBe(0)
    })

    it('large and small ones that are given away come back in their order', async () => {
      const { log } = tested()
      const given = [100, 40_000, 7, 200_000, 32_768, 0].map((size) => randomBytes(size))
      const entries = given.map((bytes) => ({ partition: 0, count: 1, bytes: Uint8Array.from(bytes), transfer: true }))
      const [first] = await log.append(entries, call())
      const records = await readAll(log, first!.partition, given.length)
      expect(records.map(({ bytes }) => hash(bytes))).toEqual(given.map(hash))
    })

    it('a view into a larger buffer is only the view', async () => {
      const view = new Uint8Array([0, 1, 2, 3, 4, 5]).subarray(2, 4)
      expect([...(await roundTrip(view))]).toEqual([2, 3])
    })

    it('what the caller does with its buffer after the append is not seen', async () => {
      const { log } = tested()
      const bytes = new Uint8Array([1, 2, 3])
      const { partition } = await put(log, 0, bytes)
      bytes.fill(9)
      expect([...(await readAll(log, partition, 1))[0]!.bytes]).toEqual([1, 2, 3])
    })

    it('the buffer of the caller is left as it is', async () => {
      const bytes = new Uint8Array([1, 2, 3])
      await put(tested().log, 0, bytes)
      expect([...bytes]).toEqual([1, 2, 3])
    })

    it('what a reader writes into a record, no other read sees', async () => {
      const { log } = tested()
      const [range] = await log.append(
        [1, 2, 3].map((value) => ({ partition: 0, count: 1, bytes: new Uint8Array([value, value]) })),
        call(),
      )
      const [one, two] = [await hold(log, 'one'), await hold(log, 'two')]
      const lane = await one.of(range!.partition)
      const records = await readRecords(lane, 0, 3)
      records[1]!.bytes.fill(9)
      expect([...records[0]!.bytes, ...records[2]!.bytes]).toEqual([1, 1, 3, 3])
      for (const other of [lane, await two.of(range!.partition)]) {
        expect((await readRecords(other, 0, 3)).map(({ bytes }) => [...bytes])).toEqual([
          [1, 1],
          [2, 2],
          [3, 3],
        ])
      }
      await Promise.all([one.stop(), two.stop()])
    })
  })
}
