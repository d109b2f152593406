import { joinEvent, recordHeaderBytes, recordVersion, splitEvents } from '@splitstream/ingest/contract'
import type { Message } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { asCloudEvents, cloudEventHeaders, type EventCodec, readMessage } from './cloud-event-record.ts'
import { eventRecord } from './event-record.fixture.ts'
import { placeOf } from './places.ts'
import { asBatch, type Incoming, type Outgoing, toMessage } from './record.ts'
import { write } from './sends.ts'

const codec: EventCodec = { split: splitEvents, join: joinEvent }
const encode = asCloudEvents(codec)
const two = { count: 2, bytes: eventRecord(['{"n":1}', '{"n":2}']) }

const messagesOf = (record: Parameters<typeof encode>[1]): Message[] =>
  [...encode(3, record)].map(({ message }) => message)

/** As Kafka gives it back. */
const stored = ({ value, headers: sent, timestamp }: Message, offset = 5, changes: object = {}): Incoming => ({
  value: value as Buffer,
  timestamp: timestamp ?? '1',
  offset: String(offset),
  headers: Object.fromEntries(
    Object.entries({ ...sent, ...changes }).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, Buffer.from(text as string)]],
    ),
  ),
})

describe('a record for each event', () => {
  it('is a CloudEvent in structured mode, and says whose it is', () => {
    const messages = messagesOf(two)
    expect(messages).toHaveLength(2)
    expect(messages[0]!.headers![cloudEventHeaders.type]).toBe('application/cloudevents+json; charset=UTF-8')
    expect(messages[0]!.headers![cloudEventHeaders.tenant]).toBe('acme')
    const event = JSON.parse(String(messages[1]!.value))
    expect(event).toMatchObject({ specversion: '1.0', source: '/test', type: 'test', data: { n: 2 } })
  })

  it('comes back as a record of that event, at its place', () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const back = messagesOf({ ...two, traceparent, appendedAt: 1_700_000_000_000 }).map((message, i) =>
      readMessage(3, stored(message, 7 + i), codec),
    )
    const rows = [...splitEvents(two.bytes).events].map((event) => Buffer.from(joinEvent(event)))
    expect(back).toEqual(
      rows.map((bytes, i) => ({
        partition: 1_003,
        baseOffset: (7 + i) * 65_536,
        count: 1,
        bytes,
        appendedAt: 1_700_000_000_000,
        traceparent,
        corrupt: false,
      })),
    )
  })

  it('that was damaged on its way, in value or row, is corrupt, and its bytes are the event as found', () => {
    const [message] = messagesOf(two)
    const row = message!.headers![cloudEventHeaders.row] as Buffer
    for (const changes of [
      { [cloudEventHeaders.row]: Buffer.concat([Buffer.from([row[0]! ^ 1]), row.subarray(1)]) },
      { [cloudEventHeaders.row]: row.subarray(1) },
      { [cloudEventHeaders.row]: row.subarray(0, 4) },
      { [cloudEventHeaders.row]: row.subarray(0, 3) },
      { [cloudEventHeaders.row]: '' },
    ]) {
      const record = readMessage(3, stored(message!, 5, changes), codec)
      expect(record).toMatchObject({ corrupt: true, count: 1 })
      expect(JSON.parse(String(record.bytes))).toMatchObject({ data: { n: 1 } })
    }
    for (const value of [null, Buffer.from(String(message!.value).replace('1.0', '1.1'))]) {
      expect(readMessage(3, { ...stored(message!), value }, codec)).toMatchObject({ corrupt: true, count: 1 })
    }
  })

  it('of somebody else did not pass ingest: it is corrupt, and its bytes are as found', () => {
    const value = Buffer.from('{"specversion":"1.0","id":"1","source":"/x","type":"t"}')
    const others = { [cloudEventHeaders.type]: 'application/cloudevents+json' }
    const record = readMessage(3, stored({ value, headers: others }), codec)
    expect(record).toMatchObject({ corrupt: true, count: 1, bytes: value })
  })

  it.each([
    ['is no record of events', { count: 1, bytes: Buffer.from('opaque') }],
    ['has another number of events than it says', { ...two, count: 3 }],
    ['was damaged in the spool', { ...two, corrupt: true }],
  ] as [string, Outgoing][])('what %s goes as a batch, as it is', (_, record) => {
    const [message, ...more] = messagesOf(record)
    expect(more).toEqual([])
    expect(message).toEqual(toMessage(3, record))
    expect(readMessage(3, stored(message!), codec).corrupt).toBe(record.corrupt === true)
  })

  it('that Kafka would not take goes as a batch of one', () => {
    const text = '\u0000'.repeat(6 << 20) // six bytes each in JSON
    const record = { count: 2, bytes: eventRecord(['{"n":1}', { text }]) }
    const [one, large] = messagesOf(record)
    expect(one!.headers).toHaveProperty(cloudEventHeaders.row)
    expect(large!.headers).not.toHaveProperty(cloudEventHeaders.row)
    expect(readMessage(3, stored(large!), codec)).toMatchObject({ corrupt: false, count: 1 })
  })
})

describe('both encodings on one topic', () => {
  it('are read in the order and at the places that appends were told of', async () => {
    const log: Message[] = []
    const send = async (messages: readonly Message[]): Promise<string> => {
      const base = log.length
      log.push(...messages)
      // Another producer writes in between.
      log.push(toMessage(3, { count: 1, bytes: eventRecord(['{}']) }))
      return String(base)
    }
    const ranges = [
      ...(await write(3, [two, two], asBatch, send)),
      ...(await write(3, [two, two], encode, send)),
      ...(await write(3, [two], asBatch, send)),
    ]
    const places = ranges.map(({ first, last }) => [first, last])
    const ofBatch = (k: number) => [placeOf(k), placeOf(k) + 1]
    const ofEvents = (k: number) => [placeOf(k), placeOf(k + 1)]
    expect(places).toEqual([ofBatch(0), ofBatch(1), ofEvents(3), ofEvents(5), ofBatch(8)])
    const records = log.map((message, offset) => readMessage(3, stored(message, offset), codec))
    expect(records.every(({ corrupt }) => !corrupt)).toBe(true)
    expect(records.map(({ count }) => count)).toEqual([2, 2, 1, 1, 1, 1, 1, 1, 2, 1])
    for (const [i, { baseOffset }] of records.entries()) {
      const before = records[i - 1]
      if (before) expect(baseOffset).toBeGreaterThanOrEqual(before.baseOffset + before.count)
    }
  })

  it('a large batch goes in several sends, and its range is from its first event to its last', async () => {
    const bytes = eventRecord(Array.from({ length: 100 }, () => JSON.stringify('x'.repeat(100_000))))
    const sends: number[] = []
    let next = 10
    const [range] = await write(3, [{ count: 100, bytes }], encode, async (messages) => {
      sends.push(messages.length)
      const base = next
      next += messages.length + 1_000
      return String(base)
    })
    expect(sends.length).toBeGreaterThan(2)
    expect(sends.reduce((sum, n) => sum + n)).toBe(100)
    expect(range).toEqual({ partition: 1_003, first: placeOf(10), last: placeOf(next - 1_001) })
  })

  it('a record of one event has the header that its version asks for', () => {
    const [event] = [...splitEvents(two.bytes).events]
    const record = Buffer.from(joinEvent(event!))
    expect(record[0]).toBe(recordVersion)
    expect(record.readUInt32LE(5)).toBe(record.length - recordHeaderBytes(1))
  })
})
