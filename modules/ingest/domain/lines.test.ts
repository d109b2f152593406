import { describe, expect, it } from 'vitest'
import { decodeRow, openRecord } from '../contract/index.ts'
import { BatchReader } from './batch.ts'
import { EventEncoder } from './event-encoder.ts'

function readLines(text: string) {
  const encoder = new EventEncoder(1, { maxNameBytes: 1024, maxAheadMicros: 0 })
  const reader = new BatchReader(encoder, { maxEvents: 50_000, maxEventBytes: 1 << 20 })
  // As bodies lie in the buffers of the edge: there are bytes behind.
  const bytes = Buffer.from(`${text}"},\n`)
  encoder.begin('acme', 0, false)
  const batch = reader.lines(bytes.subarray(0, bytes.length - 4))
  const record = openRecord(encoder.builders[0]!.finish())
  return { ...batch, events: Array.from({ length: record.count }, (_, i) => decodeRow(record, i)) }
}

describe('lines', () => {
  it('end with a newline, but for the last; blank ones are no events', () => {
    const one = (id: number): string => `{"id":"${id}","source":"s","type":"t"}`
    const { events, rejected, errors } = readLines(`\n ${one(1)} \r\n\t\r\n${one(2)}x\n{"id":"3\n"x"\n{}\n${one(4)}`)
    expect(events.map(({ id }) => id)).toEqual(['1', '4'])
    expect([rejected, errors.map(({ index }) => index)]).toEqual([4, [1, 2, 3, 4]])
  })

  it('may have their members in any order, which may change from one to the next', () => {
    const member = {
      id: '"id":"1"',
      source: '"source":"s"',
      type: '"type":"t"',
      subject: '"subject":"u"',
      data: '"data":{"id":2}',
    }
    const { id, source, type, subject, data } = member
    const orders = [
      [id, source, type, subject, data],
      [id, source, type, subject, data],
      [data, subject, type, source, id],
      [id, source, type, '"subjects":"v"', subject, data],
      [subject, data, id, '"typ":"v"', type, source],
      ['"i\\u0064":"1"', source, type, subject, data],
    ]
    const { events, rejected } = readLines(orders.map((members) => `{${members.join(',')}}\n`).join(''))
    expect(rejected).toBe(0)
    for (const event of events) {
      expect(event).toMatchObject({ id: '1', source: 's', type: 't', subject: 'u', data: '{"id":2}' })
    }
    expect(events.map(({ extensions }) => extensions)).toEqual(['', '', '', '{"subjects":"v"}', '{"typ":"v"}', ''])
    expect(readLines(`{${[id, source, type, id].join(',')}}`).errors).toMatchObject([{ detail: 'id is given twice' }])
  })

  it.each(['id', 'source', 'type', 'subject', 'datacontenttype', 'dataschema'])(
    'have nothing invisible in their %s',
    (name) => {
      const good = { id: 'é東 😀', source: 's', type: 't' }
      for (const hidden of ['\u007f', '\u0085', '\u061c', '\u200e', '\u202e', '\u2066']) {
        const event = JSON.stringify({ ...good, [name]: `a${hidden}b` })
        const escaped = event.replace(hidden, `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`)
        const { accepted, errors } = readLines(`${JSON.stringify(good)}\n${event}\n${escaped}\n`)
        const problem = { code: 'EVENT_INVALID', detail: `${name} has a control or direction character` }
        expect([accepted, errors]).toMatchObject([1, [problem, problem]])
      }
    },
  )
})
