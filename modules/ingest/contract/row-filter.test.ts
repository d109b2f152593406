import { describe, expect, it } from 'vitest'
import { RecordBuilder } from '../domain/record-builder.ts'
import { decodeRow, openRecord } from './record.ts'
import { RowFilter } from './row-filter.ts'

const strings = (row: Readonly<Record<string, string>>): string[] => [
  row.tenant ?? 't',
  row.id ?? '1',
  row.source ?? '/s',
  row.type ?? 'a',
  ...['', '', '', '', row.data ?? '{}'],
]

function recordOf(rows: readonly Readonly<Record<string, string>>[]) {
  const builder = new RecordBuilder()
  for (const row of rows) {
    builder.beginRow(4_096, { keyLow: 1, keyHigh: 2, time: 3, received: 4, kind: 1, flags: 0 })
    for (const text of strings(row)) {
      const bytes = Buffer.from(text)
      builder.string(bytes, 0, bytes.length)
    }
    builder.endRow()
  }
  return openRecord(builder.finish())
}

const wanted = (...pairs: readonly (readonly [tenant: string, type: string])[]) =>
  new RowFilter(pairs.map(([tenant, type]) => ({ tenant, type, value: `${tenant} ${type}` })))

describe('a filter of rows', () => {
  it('finds what is of a tenant and type, in order, and nothing else', () => {
    const record = recordOf([{ type: 'a' }, { type: 'b' }, { type: 'a', tenant: 'u' }, { type: 'aa' }, { type: 'a' }])
    expect([...wanted(['t', 'a']).find(record)]).toEqual([
      [0, 't a'],
      [4, 't a'],
    ])
    expect([...wanted(['t', 'a'], ['u', 'a'], ['t', 'aa']).find(record, 1)]).toEqual([
      [2, 'u a'],
      [3, 't aa'],
      [4, 't a'],
    ])
    expect([...wanted().find(record)]).toEqual([])
  })

  it('takes a text for equal only when its bytes are', () => {
    const record = recordOf([{ type: 'é' }, { type: 'Ã©' }, { type: '支払い', tenant: 'ä' }, { type: '支払い' }])
    expect([...wanted(['t', 'é'], ['ä', '支払い']).find(record)].map(([index]) => index)).toEqual([0, 2])
  })

  it('steps over strings of any length', () => {
    const lengths = [0, 1, 127, 128, 300, 1_000]
    const record = recordOf(lengths.map((n) => ({ id: 'x'.repeat(n), source: 'y'.repeat(n), type: 'z'.repeat(n) })))
    for (const [i, n] of lengths.entries()) {
      expect([...wanted(['t', 'z'.repeat(n)]).find(record)].map(([index]) => index)).toEqual([i])
      expect(decodeRow(record, i).type).toBe('z'.repeat(n))
    }
  })

  it('refuses a row whose strings are longer than it', () => {
    const record = recordOf([{ id: 'abc' }, { id: 'def' }])
    // The length of the tenant.
    record.bytes[record.starts[0]! + 38] = 0x7f
    expect(() => [...wanted(['t', 'a']).find(record)]).toThrow(RangeError)
  })
})
