import { describe, expect, it } from 'vitest'
import { fromMessage, headers, type Incoming, type Outgoing, toMessage } from './record.ts'

/** As Kafka gives it back. */
function stored(outgoing: Outgoing, changes: Record<string, string | undefined> = {}): Incoming {
  const message = toMessage(3, outgoing)
  const all = { ...message.headers, ...changes }
  const sent = Object.entries(all).filter(([, value]) => value !== undefined)
  return {
    value: message.value as Buffer,
    timestamp: message.timestamp ?? '1',
    offset: '5',
    headers: Object.fromEntries(sent.map(([name, value]) => [name, Buffer.from(String(value))])),
  }
}

const outgoing = { count: 3, bytes: Buffer.from('abc') }

describe('a record on the topic', () => {
  it('comes back as it was, at its place', () => {
    expect(fromMessage(3, stored({ ...outgoing, appendedAt: 1_700_000_000_000 }))).toEqual({
      partition: 1_003,
      baseOffset: 5 * 65_536,
      count: 3,
      bytes: Buffer.from('abc'),
      appendedAt: 1_700_000_000_000,
      corrupt: false,
    })
  })

  it('that was damaged in the spool stays marked, and fits before the next one', () => {
    const record = fromMessage(3, stored({ ...outgoing, count: 200_000, corrupt: true }))
    expect(record.corrupt).toBe(true)
    expect(record.count).toBe(65_536)
  })

  it.each([
    ['a wrong checksum', headers.checksum, '1'],
    ['no checksum', headers.checksum, undefined],
    ['a checksum that is no number', headers.checksum, ' 891568578 '],
    ['no count', headers.count, undefined],
    ['a count of 0', headers.count, '0'],
    ['a count beyond the next record', headers.count, '65537'],
    ['a count that is no number', headers.count, '0x3'],
  ])('with %s is corrupt', (_, name, value) => {
    expect(fromMessage(3, stored(outgoing, { [name]: value })).corrupt).toBe(true)
  })

  it('has the trace context of its append, when it is one', () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    expect(fromMessage(3, stored({ ...outgoing, traceparent })).traceparent).toBe(traceparent)
    for (const other of [undefined, '', 'x'.repeat(10_000), `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`]) {
      const record = fromMessage(3, stored(outgoing, { traceparent: other }))
      expect(record).not.toHaveProperty('traceparent')
      expect(record.corrupt).toBe(false)
    }
  })

  it('of somebody else, without headers and value, is corrupt and one event', () => {
    const message = { ...stored(outgoing), value: null, headers: {} }
    expect(fromMessage(3, message)).toMatchObject({ corrupt: true, count: 1 })
  })
})
