import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import {
  type BadEvent,
  data,
  eventText,
  good,
  having,
  malformed,
  members,
  more,
  ndjson,
  nested,
  newSource,
  Tenant,
  timed,
} from './events.fixture.ts'

/* A bad event costs only itself, and is told by its place and code; B1 to B60 are the rows of the bad-input catalogue. */

const maxEvents = 2000
const maxEventBytes = 100_000
let server: RunningServer
let tenant: Tenant

beforeAll(async () => {
  server = await startServer({
    env: { LOG_LEVEL: 'warn', MAX_BATCH_EVENTS: `${maxEvents}`, MAX_EVENT_BYTES: `${maxEventBytes}` },
  })
  tenant = await Tenant.create(server, 'bad-events')
})
afterAll(() => server?.stop())

const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString()
const names = ['id', 'source', 'type'] as const
const notText = ['7', 'true', '{}', '["a"]']

/** Grammatical JSON that is no event of ours. */
const invalid: readonly BadEvent[] = [
  ...names.flatMap((name): BadEvent[] => [
    [`${name} missing`, 'EVENT_INVALID', having({ [name]: undefined })],
    [`${name} null`, 'EVENT_INVALID', having({ [name]: 'null' })],
    [`${name} empty`, 'EVENT_INVALID', having({ [name]: '""' })],
    ...notText.map((json): BadEvent => [`${name} ${json}`, 'EVENT_INVALID', having({ [name]: json })]),
    [`${name} too long`, 'EVENT_INVALID', having({ [name]: `"${'x'.repeat(1025)}"` })],
    [`${name} too long in bytes`, 'EVENT_INVALID', having({ [name]: `"${'ü'.repeat(513)}"` })],
    [`${name} with NUL (B14)`, 'EVENT_INVALID', having({ [name]: '"a\\u0000b"' })],
    [`${name} with a lone surrogate (B14)`, 'EVENT_INVALID', having({ [name]: '"a\\ud800b"' })],
    [`${name} with CR LF (B55)`, 'EVENT_INVALID', having({ [name]: '"a\\r\\nb"' })],
    [`${name} with C1 (B15)`, 'EVENT_INVALID', having({ [name]: '"a\\u0085b"' })],
    [`${name} with raw bidi override (B15)`, 'EVENT_INVALID', having({ [name]: '"a\u202eb"' })],
    [`${name} with bidi isolate (B15)`, 'EVENT_INVALID', having({ [name]: '"a\\u2066b"' })],
    [`${name} with raw bidi mark (B15)`, 'EVENT_INVALID', having({ [name]: '"a\u200fb"' })],
    [`${name} with Arabic letter mark (B15)`, 'EVENT_INVALID', having({ [name]: '"a\\u061cb"' })],
    [`${name} twice (B11)`, 'EVENT_INVALID', more(`"${name}":"again"`)],
    [
      `${name} twice, escaped (B11)`,
      'EVENT_INVALID',
      more(`"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}":"a"`),
    ],
  ]),
  ...['"0.3"', '"1.0.2"', '"1"', '""', '1.0', 'null', '{}'].map(
    (version): BadEvent => [`specversion ${version}`, 'EVENT_INVALID', having({ specversion: version })],
  ),
  ...['subject', 'datacontenttype', 'dataschema'].flatMap((name): BadEvent[] => [
    [`${name} 7`, 'EVENT_INVALID', having({ [name]: '7' })],
    [`${name} too long`, 'EVENT_INVALID', having({ [name]: `"${'x'.repeat(1025)}"` })],
    [`${name} with ESC (B15)`, 'EVENT_INVALID', having({ [name]: '"\\u001b[2J"' })],
  ]),
  ...[
    ['', 'empty'],
    ['yesterday', 'not a time'],
    ['2026-01-01', 'a date'],
    ['2026-01-01T00:00:00', 'without offset'],
    ['2026-01-01 00:00:00Z', 'with a space'],
    ['2026-02-30T00:00:00Z', 'not in the calendar'],
    ['2025-02-29T00:00:00Z', 'not a leap day'],
    ['2026-13-01T00:00:00Z', 'month 13'],
    ['2026-01-01T24:00:00Z', 'hour 24'],
    ['2026-01-01T00:00:00.Z', 'empty fraction'],
    ['2026-01-01T00:00:00+24:00', 'offset of a day'],
    ['2026-01-01T00:00:00Z ', 'trailing space'],
    ['1899-12-31T23:59:59.999999Z', 'before 1900'],
    ['0001-01-01T00:00:00Z', 'year 1'],
    ['2300-01-01T00:00:00Z', 'after 2299'],
    ['9999-12-31T23:59:59Z', 'year 9999'],
  ].map(([time = '', why]): BadEvent => [`time ${why} (B45)`, 'EVENT_TIME_OUT_OF_RANGE', timed(time)]),
  ['time in 25 h (B45)', 'EVENT_TIME_OUT_OF_RANGE', (source) => timed(inHours(25))(source)],
  ['time a number', 'EVENT_INVALID', having({ time: '1767225600' })],
  ['2^53 (B12)', 'EVENT_NUMBER_UNSAFE', data('{"a":[9007199254740992]}')],
  ['-2^53 - 1 (B12)', 'EVENT_NUMBER_UNSAFE', data('-9007199254740993')],
  ['1e999 (B12)', 'EVENT_NUMBER_UNSAFE', data('[1e999]')],
  ['-1.8E308 (B12)', 'EVENT_NUMBER_UNSAFE', data('{"a":-1.8E308}')],
  ['a number of 400 digits and a point (B12)', 'EVENT_NUMBER_UNSAFE', data(`${'9'.repeat(400)}.5`)],
  ['a number of 50,000 digits (B13)', 'EVENT_NUMBER_UNSAFE', data('9'.repeat(50_000))],
  ['a number of a million digits (B13)', 'EVENT_TOO_LARGE', data('9'.repeat(1_000_000))],
  ['an unsafe extension (B12)', 'EVENT_NUMBER_UNSAFE', having({ n: '9007199254740992' })],
  ...['9007199254740993.0', '9007199254740993e0', '-9.007199254740993E+15', '1e-400', '-0.1e-999'].map(
    (json): BadEvent => [`${json} (B12)`, 'EVENT_NUMBER_UNSAFE', data(`{"a":${json}}`)],
  ),
  ['10,001 members (B9)', 'EVENT_INVALID', data(members(9_996))],
  ['a name twice in data (B11)', 'EVENT_INVALID', data('{"a":1,"b":{},"a":2}')],
  ['a name twice deep in data (B11)', 'EVENT_INVALID', data('[{"a":[{"b":{"name":1,"name":1}}]}]')],
  ['a name twice in data, escaped (B11)', 'EVENT_INVALID', data('{"total":1,"\\u0074otal":2}')],
  ['a lone high surrogate in data (B14)', 'EVENT_INVALID', data('{"a":"\\udbff"}')],
  ['a lone low surrogate in data (B14)', 'EVENT_INVALID', data('["\\udc00\\ud800"]')],
  ['a lone surrogate in a name in data (B14)', 'EVENT_INVALID', data('{"\\ud83d":1}')],
  ['an extension twice (B11)', 'EVENT_INVALID', more('"ext":"a","ext":"b"')],
  ['an extension null, then given (B11)', 'EVENT_INVALID', more('"ext":null,"ext":"b"')],
  ['an extension with NUL (B14)', 'EVENT_INVALID', more('"ext":"a\\u0000"')],
  ['an extension with a raw bidi override (B15)', 'EVENT_INVALID', more('"ext":"\u202e"')],
  ['data twice (B11)', 'EVENT_INVALID', more('"data":1,"data":null')],
  ['subject null, then given (B11)', 'EVENT_INVALID', more('"subject":null,"subject":"s"')],
  ['an extension __proto__ (B10)', 'EVENT_INVALID', more('"__proto__":"x"')],
  ...['Upper', 'with-dash', 'ü', '', 'x'.repeat(65)].map(
    (name): BadEvent => [`the extension name ${JSON.stringify(name)}`, 'EVENT_INVALID', having({ [name]: '"x"' })],
  ),
  ['an extension that is an object', 'EVENT_INVALID', having({ ext: '{"a":1}' })],
  ['an extension that is an array', 'EVENT_INVALID', having({ ext: '[]' })],
  ['data and data_base64', 'EVENT_INVALID', having({ data: '1', data_base64: '"AA=="' })],
  ...['"A"', '"AA="', '"AA"', '"A A="', '"AA==AA=="', '"_-8="', '"AA\\n=="', '7', '{}'].map(
    (text): BadEvent => [`data_base64 ${text}`, 'EVENT_INVALID', having({ data_base64: text })],
  ),
  ['too large', 'EVENT_TOO_LARGE', data(`"${'x'.repeat(maxEventBytes)}"`)],
  ...['null', '7', '"text"', 'true', '[]', '[{}]'].map(
    (json): BadEvent => [`${json} (B7)`, 'EVENT_INVALID', () => json],
  ),
  ['{}', 'EVENT_INVALID', () => '{}'],
]

const short = (code: string): object[] => [{ index: 1, code, detail: expect.stringMatching(/^.{3,300}$/s) }]

describe('between two good events', () => {
  it.each([...invalid, ...malformed])('of NDJSON, %s costs only itself: %s', async (_, code, text) => {
    const source = newSource()
    const lines = [good(source, '1'), text(source), good(source, '2')]
    const { status, json } = await tenant.post(lines.join('\n'), { type: ndjson })
    expect([status, json.accepted, json.rejected]).toEqual([200, 2, 1])
    expect(json.errors).toEqual(short(code))
    expect(await tenant.ids(source)).toEqual(['1', '2'])
  })

  it.each(invalid)('of a JSON array, %s costs only itself: %s', async (_, code, text) => {
    const source = newSource()
    const body = `[${good(source, '1')},${text(source)},${good(source, '2')}]`
    const { status, json } = await tenant.post(body, { type: 'application/cloudevents-batch+json' })
    expect([status, json.accepted, json.rejected]).toEqual([200, 2, 1])
    expect(json.errors).toEqual(short(code))
    expect(await tenant.ids(source)).toEqual(['1', '2'])
  })

  it.each(malformed)('of a JSON array, %s refuses the body (B1)', async (_, code, text) => {
    const source = newSource()
    const body = `[${good(source, '1')},${text(source)},${good(source, '2')}]`
    const { status, json } = await tenant.post(body, { type: 'application/json' })
    expect([status, json.code]).toEqual([400, code === 'EVENT_TOO_DEEP' ? 'BODY_TOO_DEEP' : 'BODY_MALFORMED'])
    expect(await tenant.settledIds(source)).toEqual([])
  })

  it('of a batch, one without specversion is bad', async () => {
    const source = newSource()
    const body = `[${good(source, '1')},${eventText(source, { specversion: undefined })}]`
    const { json } = await tenant.post(body, { type: 'application/cloudevents-batch+json' })
    expect([json.accepted, json.errors]).toEqual([1, short('EVENT_INVALID')])
    expect(await tenant.ids(source)).toEqual(['1'])
  })
})

describe('alone', () => {
  // What the catalogue answers otherwise than with 422 when it comes alone is not here.
  const cases = invalid.filter(([name]) => !/\(B(?!45)/.test(name))
  it.each(cases)('%s is refused with its own code, %s', async (_, code, text) => {
    const source = newSource()
    for (const type of [ndjson, 'application/json', 'application/cloudevents+json']) {
      const { status, json } = await tenant.post(text(source), { type })
      expect([type, status, json.code]).toEqual([type, 422, code])
    }
    expect(await tenant.settledIds(source)).toEqual([])
  })
})

describe('a body', () => {
  it('of 1,001 lines with a bad one in the middle loses only that, whatever ends and divides its lines', async () => {
    for (const eol of ['\n', '\r\n', '\n\n', '\r\n \t\r\n']) {
      const source = newSource()
      const ids = Array.from({ length: 1000 }, (_, i) => `${1000 + i}`)
      const lines = ids.map((id) => good(source, id))
      lines.splice(500, 0, '{"id":"500","source":')
      for (const end of ['', eol]) {
        const { status, json } = await tenant.post(lines.join(eol) + end, { type: ndjson })
        expect([status, json.accepted, json.rejected]).toEqual([200, 1000, 1])
        expect(json.errors).toMatchObject([{ index: 500, code: 'EVENT_MALFORMED' }])
      }
      expect(await tenant.ids(source)).toEqual(ids)
    }
  })

  it('of the most events is taken; one more is refused as a whole (B9)', async () => {
    const source = newSource()
    const events = Array.from({ length: maxEvents + 1 }, (_, i) => good(source, `${10_000 + i}`))
    for (const [type, join] of [
      [ndjson, (texts: string[]) => texts.join('\n')],
      ['application/json', (texts: string[]) => `[${texts.join(',')}]`],
    ] as const) {
      const { status, json } = await tenant.post(join(events), { type })
      expect([status, json.code]).toEqual([413, 'BATCH_TOO_LARGE'])
      expect(await tenant.settledIds(source)).toEqual([])
    }
    expect((await tenant.post(events.slice(1).join('\n'), { type: ndjson })).json.accepted).toBe(maxEvents)
    expect(await tenant.settledIds(source)).toHaveLength(maxEvents)
  })

  it('with an event of exactly the largest size is taken', async () => {
    const source = newSource()
    const text = eventText(source, {
      data: `"${'x'.repeat(maxEventBytes - eventText(source, { data: '""' }).length)}"`,
    })
    expect((await tenant.post(text, { type: ndjson })).json.accepted).toBe(1)
    expect((await tenant.post(text.replace('xx', 'xxx'), { type: ndjson })).json.code).toBe('EVENT_TOO_LARGE')
  })

  it('with events at the limits of depth, members, names, numbers and time is taken', async () => {
    const source = newSource()
    const taken = {
      depth: { data: nested(31) },
      members: { data: members(9_995) },
      name: { subject: `"${'x'.repeat(1024)}"` },
      number: { data: '[-9007199254740991,1.7976931348623157e308,1e23,5e-324,0e-400]' },
      time: { time: JSON.stringify(inHours(23)) },
    }
    const texts = Object.entries(taken).map(([id, members]) => eventText(source, { id: `"${id}"`, ...members }))
    const { status, json } = await tenant.post(texts.join('\n'), { type: ndjson })
    expect([status, json.accepted, json.errors]).toEqual([200, 5, []])
    expect(await tenant.ids(source)).toEqual(Object.keys(taken).sort())
  })

  const utf8 = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]
  it.each([ndjson, 'application/json', 'application/cloudevents+json'])('of %s is UTF-8 (B6)', async (type) => {
    const source = newSource()
    for (const bytes of utf8) {
      const [head, tail] = eventText(source, { data: '"|"' }).split('|') as [string, string]
      const body = Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)])
      const { status, json } = await tenant.post(body, { type })
      expect([bytes, status, json.code]).toEqual([bytes, 400, 'BODY_MALFORMED'])
    }
    expect(await tenant.settledIds(source)).toEqual([])
  })

  it.each<[string, string | undefined, string, number, string]>([
    ['empty, of JSON (B2)', 'application/json', '', 400, 'BODY_EMPTY'],
    ['empty, of NDJSON (B2)', ndjson, '', 400, 'BODY_EMPTY'],
    ['of blank lines (B2)', ndjson, '\n \r\n\n', 400, 'BODY_EMPTY'],
    ['of no events (B2)', 'application/json', ' [ ] ', 400, 'BODY_EMPTY'],
    ['without a type (B3)', undefined, good('/x', '1'), 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['of an unknown type (B3)', 'text/csv', good('/x', '1'), 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['of a form (B3)', 'application/x-www-form-urlencoded', 'id=1', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['of CloudEvents in XML (B3)', 'application/cloudevents+xml', '<event/>', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['of Latin-1 lines (B4)', `${ndjson}; charset=iso-8859-1`, good('/x', '1'), 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['that is null (B7)', 'application/json', 'null', 400, 'BODY_MALFORMED'],
    ['that is a text (B7)', 'application/cloudevents+json', '"x"', 400, 'BODY_MALFORMED'],
    ['that is an array of one event', 'application/cloudevents+json', `[${good('/x', '1')}]`, 400, 'BODY_MALFORMED'],
    ['that is no batch', 'application/cloudevents-batch+json', good('/x', '1'), 400, 'BODY_MALFORMED'],
    ['that goes on after its event (B1)', 'application/json', `${good('/x', '1')}{}`, 400, 'BODY_MALFORMED'],
    ['that goes on after its array (B1)', 'application/json', `[${good('/x', '1')}]]`, 400, 'BODY_MALFORMED'],
    ['with a comma at the end (B1)', 'application/json', `[${good('/x', '1')},]`, 400, 'BODY_MALFORMED'],
    ['that is cut off (B1)', 'application/json', `[${good('/x', '1')}`, 400, 'BODY_MALFORMED'],
    ['with a BOM (B1)', 'application/json', `\ufeff${good('/x', '1')}`, 400, 'BODY_MALFORMED'],
  ])('%s is refused', async (_, type, body, status, code) => {
    const reply = await tenant.post(body, { ...(type !== undefined && { type }) })
    expect([reply.status, reply.json.code]).toEqual([status, code])
  })

  it.each(['gzip', 'deflate', 'br', 'zstd'])('that is not %s is refused (B21)', async (encoding) => {
    const { status, json } = await tenant.post(good('/x', '1'), {
      type: ndjson,
      headers: { 'content-encoding': encoding },
    })
    expect([status, json.code]).toEqual([400, 'BODY_MALFORMED'])
  })
})

describe('binary mode', () => {
  const head = { 'ce-specversion': '1.0', 'ce-id': 'b', 'ce-source': '/b', 'ce-type': 't' }
  it.each<[string, Record<string, string | undefined>, string, number, string]>([
    ['without an id', { 'ce-id': '' }, '{}', 422, 'EVENT_INVALID'],
    ['of another version', { 'ce-specversion': '0.3' }, '{}', 422, 'EVENT_INVALID'],
    ['of no version', { 'ce-specversion': undefined }, '{}', 422, 'EVENT_INVALID'],
    ['of a bad time (B45)', { 'ce-time': 'now' }, '{}', 422, 'EVENT_TIME_OUT_OF_RANGE'],
    ['with an extension that is no name', { 'ce-a-b': 'x' }, '{}', 422, 'EVENT_INVALID'],
    ['with the extension __proto__ (B10)', { 'ce-__proto__': 'x' }, '{}', 422, 'EVENT_INVALID'],
    ['with data as a header', { 'ce-data': 'x' }, '{}', 400, 'HEADER_INVALID'],
    ['with data as a header and no body', { 'ce-data_base64': 'AA==' }, '', 400, 'HEADER_INVALID'],
    ['with its type as an attribute', { 'ce-datacontenttype': 'text/plain' }, '{}', 400, 'HEADER_INVALID'],
    ['with bytes that are not ASCII (B15)', { 'ce-subject': 'Z\u00fcrich' }, '{}', 400, 'HEADER_INVALID'],
    ['with a quoted string that does not end', { 'ce-subject': '"a' }, '{}', 400, 'HEADER_INVALID'],
    ['with a hidden control character (B55)', { 'ce-ext': 'a%0d%0ab' }, '{}', 422, 'EVENT_INVALID'],
    ['with a name twice in its data (B11)', {}, '{"a":1,"a":2}', 422, 'EVENT_INVALID'],
    ['with bad percent-encoding (B31)', { 'ce-subject': '100%' }, '{}', 400, 'HEADER_INVALID'],
    ['with overlong UTF-8 (B31)', { 'ce-subject': '%c0%af' }, '{}', 400, 'HEADER_INVALID'],
    ['with a body that is not its JSON (B1)', {}, '{"a":', 400, 'BODY_MALFORMED'],
    ['with two JSON values (B1)', {}, '1 2', 400, 'BODY_MALFORMED'],
    ['with data that is too deep (B8)', {}, nested(32), 400, 'BODY_TOO_DEEP'],
  ])('%s is refused', async (_, headers, body, status, code) => {
    const source = newSource()
    const all = Object.entries({ ...head, 'ce-source': source, ...headers })
    const given = Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
    const reply = await tenant.post(body, { type: 'application/json', headers: given })
    expect([reply.status, reply.json.code]).toEqual([status, code])
    expect(await tenant.settledIds(source)).toEqual([])
  })
})
