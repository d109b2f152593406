import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecordBuilder } from '../domain/record-builder.ts'
import { dataKind, openRecord } from './record.ts'
import { joinEvent, splitEvents } from './single-events.ts'

const texts = ['tenant', 'id', 'source', 'type', 'subject', 'datacontenttype', 'dataschema', 'extensions', 'data']

interface Row {
  readonly kind: number
  readonly flags: number
  readonly time: number
  readonly strings: Readonly<Record<string, string | Uint8Array>>
}

function recordOf(rows: readonly Row[]): Uint8Array {
  const builder = new RecordBuilder()
  for (const { kind, flags, time, strings } of rows) {
    builder.beginRow(1 << 16, { keyLow: 7, keyHigh: 0xfedcba98, time, received: time + 5, kind, flags })
    for (const name of texts) {
      const bytes = Buffer.from(strings[name] ?? '')
      builder.string(bytes, 0, bytes.length)
    }
    builder.endRow()
  }
  return builder.finish()
}

const rowsOf = (bytes: Uint8Array): Buffer[] => {
  const { count, starts } = openRecord(bytes)
  return Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(starts[i], starts[i + 1])))
}

const plain: Row = {
  kind: dataKind.json,
  flags: 0,
  time: 1_790_000_000_123_456,
  strings: {
    tenant: 'acme',
    id: '1',
    source: '/shop',
    type: 'order',
    data: '{ "a": 1.50 }',
    extensions: '{"big":true}',
  },
}

describe('events of a record, one by one', () => {
  it('are CloudEvents in JSON, their data as received', () => {
    const [event] = [...splitEvents(recordOf([plain])).events]
    expect(event!.tenant).toBe('acme')
    expect(Buffer.from(event!.json).toString()).toBe(
      '{"specversion":"1.0","id":"1","source":"/shop","type":"order","time":"2026-09-21T14:13:20.123456Z","big":true,"data":{ "a": 1.50 }}',
    )
  })

  it('carry their data once, when it is JSON or binary', () => {
    const data = 'A'.repeat(40_000)
    for (const [kind, text, most] of [
      [dataKind.json, `"${data}"`, 200],
      [dataKind.binary, data, 200],
      [dataKind.text, data, 50_000],
    ] as const) {
      const [event] = [...splitEvents(recordOf([{ ...plain, kind, strings: { ...plain.strings, data: text } }])).events]
      expect(event!.row.length).toBeLessThan(most)
    }
  })

  it('become the same rows again, byte by byte, whatever is in them', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', '\uFEFFx', '"}', '\\', '}', '{"a":"b"}'),
      fc.uint8Array({ maxLength: 30 }),
    )
    const extensions = fc.constantFrom('', '{"a":1}', '{"b":"\\u0000","c":false}')
    const strings = fc.record(
      Object.fromEntries(texts.map((name) => [name, name === 'extensions' ? extensions : anyText])),
    )
    const row: fc.Arbitrary<Row> = fc.record({
      kind: fc.constantFrom(0, 1, 2, 3, 9),
      flags: fc.constantFrom(0, 1),
      time: fc.integer({ min: -1_000_000, max: 4_000_000_000_000_000 }),
      strings,
    })
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
        const bytes = recordOf(rows)
        const { count, events } = splitEvents(bytes)
        expect(count).toBe(rows.length)
        expect([...events].map((event) => rowsOf(joinEvent(event))[0])).toEqual(rowsOf(bytes))
      }),
    )
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no record', Buffer.from('no record')],
    ['a record of a row that is cut short', recordOf([plain]).subarray(0, -1)],
  ])('%s is refused at once', (_, bytes) => {
    expect(() => splitEvents(bytes)).toThrow(RangeError)
  })

  it('a row and an event that do not belong together are refused', () => {
    const [event] = [...splitEvents(recordOf([plain])).events]
    const { json, row } = event!
    expect(() => joinEvent({ json: Buffer.from('{}'), row })).toThrow(RangeError)
    expect(() => joinEvent({ json, row: row.subarray(0, -1) })).toThrow(RangeError)
    expect(() => joinEvent({ json, row: row.subarray(0, 10) })).toThrow(RangeError)
    expect(() => joinEvent({ json, row: Buffer.concat([row, Buffer.from('x')]) })).toThrow(RangeError)
  })
})
