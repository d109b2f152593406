import fc from 'fast-check'
import { expect, it } from 'vitest'
import { recordOf } from './record.fixture.ts'
import { openRecord, recordHeaderBytes } from './record.ts'
import { splitRecord } from './split-record.ts'

const rowsOf = (bytes: Uint8Array): Buffer[] => {
  const { count, starts } = openRecord(bytes)
  return Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(starts[i], starts[i + 1])))
}

it('has the same events in the same order, in as few records as the limits allow', () => {
  const row = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 49, max: 200 }),
      (rows, maxEvents, maxBytes) => {
        const parts = splitRecord(recordOf(rows), { maxEvents, maxBytes })
        expect(parts.flatMap(({ bytes }) => rowsOf(bytes))).toEqual(rows.map((one) => Buffer.from(one)))
        for (const [i, { count, bytes }] of parts.entries()) {
          expect(count).toBe(openRecord(bytes).count)
          expect(count <= maxEvents && bytes.length <= maxBytes).toBe(true)
          const next = parts[i + 1]
          if (!next) continue
          const [first] = rowsOf(next.bytes)
          expect(count === maxEvents || bytes.length + 4 + first!.length > maxBytes).toBe(true)
        }
      },
    ),
  )
})

it('refuses what is no record, and an event that is too large by itself', () => {
  const limits = { maxEvents: 10, maxBytes: 100 }
  expect(() => splitRecord(Buffer.from('no record'), limits)).toThrow(RangeError)
  const large = Buffer.alloc(100 - recordHeaderBytes(1))
  expect(splitRecord(recordOf([large, large]), limits)).toHaveLength(2)
  expect(() => splitRecord(recordOf([Buffer.alloc(large.length + 1)]), limits)).toThrow('an event has 92 bytes')
})
