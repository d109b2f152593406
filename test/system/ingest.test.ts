import { decodePosition, encodePosition } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { type Event, encodings, eventText, good, ndjson, newSource, type Reply, Tenant } from './events.fixture.ts'

/* Whatever form an event is sent in, it is read as it was sent; and what the answers promise is so. */

let server: RunningServer
let tenant: Tenant

beforeAll(async () => {
  server = await startServer({ env: { LOG_LEVEL: 'warn' } })
  tenant = await Tenant.create(server, 'ingest')
})
afterAll(() => server?.stop())

const strange = 'Zürich 東京 😀 e\u0301 \u2028 "q" \\ /'
const samples: Readonly<Record<string, object>> = {
  object: { data: { a: { b: [1, { c: null }], '': true, 'x.y': 1 }, [strange]: strange } },
  'empty object': { data: {} },
  array: { data: [1, 'two', [3], { four: null }, null, true] },
  integer: { data: Number.MAX_SAFE_INTEGER },
  zero: { data: 0 },
  float: { data: -1.7976931348623157e308 },
  'small float': { data: 5e-324 },
  string: { data: strange },
  'string of JSON': { data: '{"a":1}', datacontenttype: 'application/json' },
  'empty string': { data: '' },
  false: { data: false },
  none: {},
  text: { data: `${strange}\n\t\u0000`, datacontenttype: 'text/plain' },
  'empty text': { data: '', datacontenttype: 'text/plain' },
  xml: { data: '<a b="c">&amp;</a>', datacontenttype: 'application/xml' },
  'object of another type': { data: { a: 1 }, datacontenttype: 'text/plain' },
  'JSON of a vendor': { data: 'x', datacontenttype: 'application/vnd.a+json' },
  base64: { data_base64: Buffer.from([0, 255, 10, 13, 34, 128]).toString('base64'), datacontenttype: 'image/png' },
  'empty base64': { data_base64: '' },
  'all attributes': { subject: strange, dataschema: 'urn:a:b', datacontenttype: 'application/json', data: 1 },
  extensions: { traceparent: '00-aa-bb-01', n: -7, yes: true, no: false, empty: '', u: strange, a1: 'x'.repeat(2000) },
  'inert keys (B10)': { data: JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}') },
  'depth of 32': { data: JSON.parse('['.repeat(31) + ']'.repeat(31)) },
  large: { data: { pad: 'ä'.repeat(100_000) } },
}

function eventsOf(source: string): Event[] {
  return Object.entries(samples).map(([name, members], i) => {
    const time = new Date(Date.UTC(2026, 0, 1) + i).toISOString().replace('Z', '456Z')
    return { specversion: '1.0', id: `${strange} ${name}`, source, type: `t.${strange}`, time, ...members }
  })
}
const byId = (events: Event[]): Event[] => events.toSorted((a, b) => (a.id < b.id ? -1 : 1))
const bare = ({ specversion: _, ...rest }: Event): object => rest

const one = (event: object): string[] => [JSON.stringify(event)]
const forms: readonly [string, string, (events: Event[]) => string[]][] = [
  ['structured', 'application/cloudevents+json', (events) => events.flatMap(one)],
  ['structured, with charset', 'application/cloudevents+json; charset=UTF-8', (events) => events.flatMap(one)],
  ['a JSON object', 'application/json', (events) => events.flatMap(one)],
  ['a JSON object without specversion', 'application/json', (events) => events.map(bare).flatMap(one)],
  ['batch', 'application/cloudevents-batch+json', (events) => one(events)],
  ['a JSON array', 'application/json', (events) => one(events.map(bare))],
  ['an indented JSON array', 'application/json', (events) => [` \r\n${JSON.stringify(events, null, '\t')}\n`]],
  ...['application/x-ndjson', 'application/ndjson', 'application/jsonl'].map(
    (type): [string, string, (events: Event[]) => string[]] => [
      type,
      type,
      (events) => [`\n${events.flatMap(one).join('\r\n \t\n\r\n')}`],
    ],
  ),
]

describe.each(Object.entries(encodings))('a body in %s', (encoding, compress) => {
  it.each(forms)('of events as %s comes back as it was sent', async (_, type, bodiesOf) => {
    const source = newSource()
    const events = eventsOf(source)
    const headers = { 'content-encoding': encoding }
    const replies = await Promise.all(
      bodiesOf(events).map((body) => tenant.post(compress(Buffer.from(body)), { type, headers })),
    )
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    expect(replies.reduce((sum, { json }) => sum + json.accepted, 0)).toBe(events.length)
    expect(await tenant.events(source)).toEqual(byId(events))
  })

  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  it.each<[string, string | undefined, string | Buffer, object]>([
    ['a JSON object', 'application/json', ` {"a":[1,"ü",null]}\n`, { data: { a: [1, 'ü', null] } }],
    ['a JSON string', 'application/json; charset=utf-8', '"x"', { data: 'x' }],
    ['JSON of a vendor', 'application/vnd.a.b+json', '[1.5]', { data: [1.5] }],
    ['text', 'text/plain', `${strange}\r\n\u0000`, { data: `${strange}\r\n\u0000` }],
    ['text that looks like JSON', 'text/html', '{"a":1}', { data: '{"a":1}' }],
    ['every byte', 'application/octet-stream', bytes, { data_base64: bytes.toString('base64') }],
    ['a sequence of JSON texts', 'application/json-seq', '\u001e{}\n', { data_base64: 'Hnt9Cg==' }],
    ['bytes of an unknown type', 'image/x-mine', Buffer.from([255]), { data_base64: '/w==' }],
    ['nothing', undefined, '', {}],
    ['nothing, of a type', 'application/json', '', {}],
  ])('of binary mode with %s comes back as it was sent', async (name, type, body, data) => {
    const source = newSource()
    const id = `${name} ${strange}`
    const time = '2026-01-02T03:04:05.678901Z'
    const headers = {
      ...(body.length > 0 && { 'content-encoding': encoding }),
      'ce-specversion': '1.0',
      'ce-id': encodeURIComponent(id),
      'ce-source': source,
      'CE-Type': 'com.example.made',
      'ce-time': time,
      'ce-subject': encodeURIComponent(strange),
      'ce-traceparent': '00-aa-bb-01',
    }
    const { status, json } = await tenant.post(body.length > 0 ? compress(Buffer.from(body)) : '', {
      ...(type !== undefined && { type }),
      headers,
    })
    expect([status, json.accepted]).toEqual([200, 1])
    const envelope = { specversion: '1.0', id, source, type: 'com.example.made', time, subject: strange }
    const datacontenttype = type === undefined ? {} : { datacontenttype: type }
    expect(await tenant.events(source)).toEqual([
      { ...envelope, traceparent: '00-aa-bb-01', ...datacontenttype, ...data },
    ])
  })
})

it('binary mode unquotes a quoted header, then decodes it once', async () => {
  const source = newSource()
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '"a \\"b\\" \\\\ %E6%9D%B1 %2541"',
    'ce-source': source,
    'ce-type': 't',
  }
  expect((await tenant.post('1', { type: 'application/json', headers })).status).toBe(200)
  expect(await tenant.ids(source)).toEqual(['a "b" \\ 東 %41'])
})

describe('an event’s time', () => {
  it.each([
    ['2026-01-01T00:00:00.5+02:30', '2025-12-31T21:30:00.500Z'],
    ['2026-01-01t00:00:00.123456999z', '2026-01-01T00:00:00.123456Z'],
    ['2024-02-29T12:00:00-00:00', '2024-02-29T12:00:00Z'],
    ['1900-01-01T00:00:00Z', '1900-01-01T00:00:00Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59Z'],
  ])('%s is the instant %s', async (time, instant) => {
    const source = newSource()
    expect((await tenant.post(eventText(source, { time: `"${time}"` }), { type: ndjson })).status).toBe(200)
    expect((await tenant.events(source))[0]?.time).toBe(instant)
  })

  it.each([undefined, 'null'])('that is %s becomes the time of arrival', async (time) => {
    const source = newSource()
    const before = Date.now()
    expect((await tenant.post(eventText(source, { time }), { type: ndjson })).status).toBe(200)
    const got = Date.parse(String((await tenant.events(source))[0]?.time))
    expect(got).toBeGreaterThanOrEqual(before - 1)
    expect(got).toBeLessThanOrEqual(Date.now() + 1)
  })
})

const position = expect.stringMatching(/^[\w.-]+$/)

describe('the answer', () => {
  it('counts, and names each bad event by its place, code and reason; the good ones are stored (B44)', async () => {
    const source = newSource()
    const bad = [eventText(source, { type: undefined }), '{"id":', eventText(source, { time: '"x"' })]
    const lines = [good(source, '1'), bad[0], '', good(source, '2'), bad[1], bad[2], good(source, '1')]
    const { status, json } = await tenant.post(lines.join('\n'), { type: ndjson, query: 'mode=partial&wait=stored' })
    expect(status).toBe(200)
    expect(json).toEqual({
      accepted: 3,
      rejected: 3,
      duplicates: 1,
      repeated: [5],
      position,
      errors: [
        { index: 1, code: 'EVENT_INVALID', detail: expect.stringContaining('type') },
        { index: 3, code: 'EVENT_MALFORMED', detail: expect.stringMatching(/./) },
        { index: 4, code: 'EVENT_TIME_OUT_OF_RANGE', detail: expect.stringContaining('time') },
      ],
    })
    expect(await tenant.ids(source)).toEqual(['1', '2'])
  })

  it('says which events repeat one of the same request; of another one it does not know, and stores once (B43)', async () => {
    const source = newSource()
    const body = ['1', '2', '1', '3', '3', '1'].map((id) => good(source, id)).join('\n')
    for (const query of ['wait=stored', 'mode=strict&wait=stored']) {
      const { status, json } = await tenant.post(body, { type: ndjson, query })
      expect([status, json]).toMatchObject([200, { accepted: 6, duplicates: 3, repeated: [2, 4, 5] }])
    }
    const again = await tenant.post(good(source, '2'), { type: ndjson })
    expect([again.status, again.json]).toMatchObject([200, { accepted: 1, duplicates: 0, repeated: [] }])
    expect(await tenant.ids(source)).toEqual(['1', '2', '3'])
  })

  it('lists the first thousand repeats, and counts all', async () => {
    const source = newSource()
    const { json } = await tenant.post(Array(1_500).fill(good(source, '1')).join('\n'), { type: ndjson })
    expect(json).toMatchObject({ accepted: 1_500, duplicates: 1_499 })
    expect(json.repeated).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1))
  })

  it('to a strict batch with a bad event is 422 with the errors, and nothing is stored (B44)', async () => {
    const source = newSource()
    const body = [good(source, '1'), eventText(source, { id: '7' }), good(source, '3')].join('\n')
    const { status, json } = await tenant.post(body, { type: ndjson, query: 'mode=strict&wait=stored' })
    expect(status).toBe(422)
    expect(json).toMatchObject({
      code: 'BATCH_REFUSED',
      accepted: 0,
      rejected: 1,
      errors: [{ index: 1, code: 'EVENT_INVALID', detail: expect.stringContaining('id') }],
    })
    expect(json).not.toHaveProperty('position')
    expect(await tenant.settledIds(source)).toEqual([])
  })

  it('to a strict batch of good ones is as to any other', async () => {
    const source = newSource()
    const { status, json } = await tenant.post(`[${good(source, '1')},${good(source, '2')}]`, {
      type: 'application/json',
      query: 'mode=strict',
    })
    expect([status, json]).toEqual([
      202,
      { accepted: 2, rejected: 0, duplicates: 0, repeated: [], position, errors: [] },
    ])
    expect(await tenant.ids(source, json.position)).toEqual(['1', '2'])
  })

  it('to a batch without a good event is 422', async () => {
    const bad = eventText(newSource(), { type: undefined })
    const { status, json } = await tenant.post(`[${bad},${bad}]`, { type: 'application/json' })
    expect(status).toBe(422)
    expect(json).toMatchObject({ code: 'BATCH_REFUSED', accepted: 0, rejected: 2 })
    expect(json.errors.map(({ index }) => index)).toEqual([0, 1])
  })

  it('lists 1,000 errors and counts all', async () => {
    const source = newSource()
    const lines = [...Array.from({ length: 1500 }, () => '{}'), good(source, '1')]
    const { json } = await tenant.post(lines.join('\n'), { type: ndjson })
    expect([json.accepted, json.rejected, json.errors.length]).toEqual([1, 1500, 1000])
    expect(json.errors.every(({ index }, i) => index === i)).toBe(true)
    expect(await tenant.ids(source)).toEqual(['1'])
  })

  it.each(['mode=all', 'mode=', 'wait=yes', 'wait=stored&wait=stored', 'limit=1'])('to ?%s is 400', async (query) => {
    const source = newSource()
    const { status, json } = await tenant.post(good(source, '1'), { type: ndjson, query })
    expect([status, json.code]).toEqual([400, 'REQUEST_INVALID'])
    expect(await tenant.settledIds(source)).toEqual([])
  })
})

describe('a position', () => {
  it('makes a reader wait for the events that were acknowledged with it', async () => {
    const source = newSource()
    for (let i = 0; i < 20; i++) {
      // Subjects, so that both partitions are written.
      const lines = [0, 1, 2].map((n) => eventText(source, { id: `"${i}-${n}"`, subject: `"${i * n}"` }))
      const { status, json } = await tenant.post(lines.join('\n'), { type: ndjson, query: '' })
      expect(status).toBe(202)
      expect((await tenant.ids(source, json.position)).filter((id) => id.startsWith(`${i}-`))).toHaveLength(3)
    }
  })

  it.each([
    ...['nope', 'p2-0.1', 'p1-0', 'p1-0.', 'p1-0.1-', 'p1-0.-1', 'p1-0.zzzzzzzzzzz', ' p1-0.1', 'p1-0.1 ', '9'],
    ...['p1', 'p1-0.1-0.1', 'p1-2.1', 'p1-0.1-zz.0'],
  ])('that is not ours, %j, is 400', async (after) => {
    const { status, code } = await tenant.get({ after })
    expect([status, code]).toEqual([400, 'POSITION_INVALID'])
  })

  it('beyond the end of the log is 400 at once, and the end itself is not', async () => {
    const { json } = await tenant.post(eventText(newSource(), {}), { type: ndjson, query: '' })
    const [partition, next] = [...decodePosition(json.position)][0]!
    expect((await tenant.get({ after: encodePosition(new Map([[partition, next]])) })).status).toBe(200)
    const from = performance.now()
    const { status, code } = await tenant.get({ after: encodePosition(new Map([[partition, next + 1]])) })
    expect([status, code]).toEqual([400, 'POSITION_INVALID'])
    expect(performance.now() - from).toBeLessThan(1_000)
  })
})

describe.each([undefined, '"2026-01-01T00:00:00Z"'])('events of time %s', (time) => {
  const batch = (source: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => eventText(source, { id: `"${1000 + i}"`, subject: `"${i % 7}"`, time }))

  it('sent many times at once and again later are stored once (B43)', async () => {
    const source = newSource()
    const texts = batch(source, 200)
    const send = (i: number): Promise<Reply> =>
      i % 2 === 0
        ? tenant.post(texts.join('\n'), { type: ndjson, query: '' })
        : tenant.post(`[${texts.toReversed().join(',')}]`, { type: 'application/cloudevents-batch+json' })
    for (let round = 0; round < 2; round++) {
      for (const { status, json } of await Promise.all(Array.from({ length: 8 }, (_, i) => send(i)))) {
        expect([status === 200 || status === 202, json.accepted, json.rejected]).toEqual([true, 200, 0])
        expect(await tenant.ids(source, json.position)).toEqual(texts.map((_, i) => `${1000 + i}`))
      }
    }
  })

  it('that repeat in one batch are counted as duplicates and stored once (B43)', async () => {
    const source = newSource()
    const texts = batch(source, 50)
    const { json } = await tenant.post([...texts, ...texts, ...texts].join('\n'), { type: ndjson })
    expect([json.accepted, json.rejected, json.duplicates]).toEqual([150, 0, 100])
    expect(await tenant.ids(source)).toEqual(texts.map((_, i) => `${1000 + i}`))
  })

  it('with one id but two sources are two events', async () => {
    const [a, b] = [newSource(), newSource()]
    const { json } = await tenant.post(`${eventText(a, { time })}\n${eventText(b, { time })}`, { type: ndjson })
    expect([json.accepted, json.duplicates]).toEqual([2, 0])
    expect([await tenant.ids(a), await tenant.ids(b)]).toEqual([['bad'], ['bad']])
  })
})
