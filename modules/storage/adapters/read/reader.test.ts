import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Filter, ListPlace, Scalar } from '../../contract/index.ts'
import { aggregate, as, idsWhere, insert, insertDocs, reader, sorted } from './reader.fixture.ts'

describe('listing', () => {
  it('gives events back as they came', async () => {
    const time = '2001-02-03T04:05:06Z'
    await insert('exact', [
      { id: '1', time: Date.parse(time) * 1000 + 120_000, data: '{"a":[1,{"b":null}],"__proto__":{"x":1},"big":1e22}' },
      {
        id: '2',
        time: Date.parse(time) * 1000 + 1,
        subject: 's',
        datacontenttype: 'text/plain',
        kind: 'text',
        data: 'l1\n"\\\u0000é😀',
      },
      {
        id: '3',
        time,
        kind: 'binary',
        data: 'AAECAw==',
        dataschema: 'http://schema',
        extensions: '{"n":5,"b":true,"t":"x"}',
      },
      { id: '4', time: '2001-02-03T04:05:05Z', data: '"just a text"' },
      { id: '5', time: '1905-02-03T04:05:05.500Z' },
    ])
    const page = await reader.list({ range: {}, filters: [], limit: 10 }, as('exact'))
    const base = { specversion: '1.0', source: '/test', type: 'test' }
    expect(page).toEqual({
      next: null,
      position: 'p1-0.7',
      events: [
        {
          ...base,
          id: '1',
          time: '2001-02-03T04:05:06.120Z',
          data: JSON.parse('{"a":[1,{"b":null}],"__proto__":{"x":1},"big":1e22}'),
        },
        {
          ...base,
          id: '2',
          subject: 's',
          time: '2001-02-03T04:05:06.000001Z',
          datacontenttype: 'text/plain',
          data: 'l1\n"\\\u0000é😀',
        },
        { ...base, id: '3', time, dataschema: 'http://schema', n: 5, b: true, t: 'x', data_base64: 'AAECAw==' },
        { ...base, id: '4', time: '2001-02-03T04:05:05Z', data: 'just a text' },
        { ...base, id: '5', time: '1905-02-03T04:05:05.500Z' },
      ],
    })
  })

  it.each([1, 2, 3, 7, 100])(
    'pages of %i lose and repeat nothing, even when times and keys are the same',
    async (limit) => {
      const tenant = `pages-${limit}`
      const events = Array.from({ length: 40 }, (_, i) => ({
        id: `${i}`,
        time: 1_000_000 + (i % 3),
        key: 2n ** 64n - 1n - BigInt(i % 2),
      }))
      await insert(tenant, events)
      const seen: string[] = []
      let before: ListPlace | undefined
      do {
        const page = await reader.list({ range: {}, filters: [], limit, before }, as(tenant))
        expect(page.events.length).toBeLessThanOrEqual(limit)
        seen.push(...page.events.map(({ id }) => String(id)))
        before = page.next ?? undefined
      } while (before)
      expect(seen.length).toBe(40)
      expect(new Set(seen).size).toBe(40)
      const whole = await reader.list({ range: {}, filters: [], limit: 100 }, as(tenant))
      expect(seen).toEqual(whole.events.map(({ id }) => id))
    },
  )

  it('never shows another tenant’s events', async () => {
    await insert('mine', [{ id: 'm' }])
    await insert('theirs', [{ id: 't' }])
    expect(await idsWhere('mine')).toEqual(['m'])
    expect((await aggregate('mine', {})).rows).toEqual([{ n: 1 }])
    expect(await idsWhere("mine' OR 1=1 --")).toEqual([])
  })

  it('takes from ≤ time < to', async () => {
    const at = (s: number) => `2001-01-01T00:00:0${s}Z`
    await insert(
      'range',
      [0, 1, 2, 3].map((s) => ({ id: `${s}`, time: at(s) })),
    )
    const { events } = await reader.list({ range: { from: at(1), to: at(3) }, filters: [], limit: 9 }, as('range'))
    expect(events.map(({ id }) => id)).toEqual(['2', '1'])
  })
})

describe('filters', () => {
  const docs = [
    { v: 5 },
    { v: 5.5 },
    { v: '5' },
    { v: true },
    { v: false },
    { v: null },
    {},
    { v: 'text' },
    { v: [1, 2] },
    { v: ['x', 'y'] },
    { v: [1, 'x', true] },
    { v: { w: 1 } },
    { v: '2001-02-03' },
    { v: -0.5 },
    { v: [true] },
    { v: [1.5] },
    { v: '' },
    { v: [3, null, 2.5] },
    { v: [[3], 'z'] },
  ] // prettier-ignore
  beforeAll(() => insertDocs('filters', docs))
  const found = async (op: Filter['op'], value: Filter['value']) =>
    (await idsWhere('filters', { field: 'data.v', op, value })).map((id) => docs[Number(id.slice(1))])

  it.each<[Filter['op'], Filter['value'], unknown[]]>([
    ['eq', 5, [{ v: 5 }]],
    ['eq', '5', [{ v: '5' }]],
    ['eq', true, [{ v: true }]],
    ['eq', '', [{ v: '' }]],
    ['eq', '2001-02-03', [{ v: '2001-02-03' }]],
    ['in', [5, 'text', false], [{ v: 5 }, { v: false }, { v: 'text' }]],
    ['gt', 4, [{ v: 5 }, { v: 5.5 }]],
    ['lt', 5.5, [{ v: -0.5 }, { v: 5 }]],
    ['gte', '5', [{ v: '5' }, { v: 'text' }]],
    ['contains', 'ex', [{ v: 'text' }]],
    ['contains', 'x', [{ v: ['x', 'y'] }, { v: [1, 'x', true] }, { v: 'text' }]],
    ['contains', 1, [{ v: [1, 2] }, { v: [1, 'x', true] }]],
    ['contains', 1.5, [{ v: [1.5] }]],
    ['contains', 2.5, [{ v: [3, null, 2.5] }]],
    ['contains', 'z', [{ v: [[3], 'z'] }]],
    ['contains', true, [{ v: [1, 'x', true] }, { v: [true] }]],
    ['exists', false, [{ v: null }, {}]],
  ])('%s %j', async (op, value, expected) => {
    expect(sorted(await found(op, value))).toEqual(sorted(expected))
  })

  it('what is missing or of another type meets ne and nin', async () => {
    expect(await found('ne', 5)).toHaveLength(docs.length - 1)
    expect(await found('nin', [5, '5'])).toHaveLength(docs.length - 2)
    expect(await found('exists', true)).toHaveLength(docs.length - 2)
  })

  it('documents that the engine’s parser refuses are stored and listed, with no paths', async () => {
    const odd = [
      '{"a":"\\ud800","b":1}',
      '{"b":1,"b":2}',
      '[{"b":1}]',
      '{"b":{"c":1},"b":1}',
      `{"a":${'['.repeat(30)}${']'.repeat(30)},"b":1}`,
    ]
    await insert(
      'odd',
      odd.map((data, i) => ({ id: `e${i}`, data })),
    )
    const { events } = await reader.list({ range: {}, filters: [], limit: 10 }, as('odd'))
    expect(events.map(({ data }) => data)).toEqual(odd.map((text) => JSON.parse(text)).toReversed())
    expect(await idsWhere('odd', { field: 'data.b', op: 'eq', value: 1 })).toEqual(['e1', 'e3', 'e4'])
  })

  it('attributes, extensions, times and text data', async () => {
    await insert('attributes', [
      { id: 'a', subject: 's1', extensions: '{"trace":"t1","n":7}', kind: 'text', data: 'hello world' },
      { id: 'b', time: '2002-01-01T00:00:00Z', extensions: '{"trace":"7","ok":true}' },
    ])
    const ids = (field: string, op: Filter['op'], value: Filter['value']) =>
      idsWhere('attributes', { field, op, value })
    expect(await ids('subject', 'exists', false)).toEqual(['b'])
    expect(await ids('subject', 'ne', 's1')).toEqual(['b'])
    expect(await ids('ext.trace', 'eq', 't1')).toEqual(['a'])
    expect(await ids('ext.n', 'gte', 7)).toEqual(['a'])
    expect(await ids('ext.trace', 'eq', 7)).toEqual([])
    expect(await ids('ext.ok', 'eq', true)).toEqual(['b'])
    expect(await ids('ext.ok', 'exists', false)).toEqual(['a'])
    expect(await ids('time', 'gte', '2002-01-01T01:00:00+01:00')).toEqual(['b'])
    expect(await ids('time', 'in', ['2002-01-01T00:00:00Z', '1999-01-01T00:00:00Z'])).toEqual(['b'])
    expect(await ids('data', 'contains', 'o w')).toEqual(['a'])
    expect(await ids('data', 'exists', true)).toEqual(['a'])
  })

  it('hostile texts are values, hostile keys are paths', async () => {
    const nasty = [
      "'",
      '"',
      '\\',
      "\\'",
      '`',
      '\n',
      '\t',
      '\r',
      '{p0:String}',
      "' OR 1=1 --",
      'ü😀',
      '%2E',
      '\\N',
      'null',
      '\b\f',
    ]
    await insertDocs(
      'nasty',
      nasty.map((v) => ({ v, ' k {x}=;--/* */#': v })),
    )
    for (const [i, value] of nasty.entries()) {
      expect(await idsWhere('nasty', { field: 'data.v', op: 'eq', value }), value).toEqual([`e${i}`])
      expect(await idsWhere('nasty', { field: 'data.v', op: 'in', value: [value, 'none'] }), value).toEqual([`e${i}`])
      const odd = { field: 'data[" k {x}=;--/* */#"]', op: 'contains', value } as const
      expect(await idsWhere('nasty', odd), value).toContain(`e${i}`)
    }
  })

  it('agree with a plain evaluation over random data', async () => {
    const leaf = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.double({ min: -2, max: 2, noNaN: true }),
      fc.constantFrom('a', 'b', '1', ''),
      fc.boolean(),
      fc.constant(null),
    )
    const doc = fc.dictionary(fc.constantFrom('x', 'y', 'z z'), leaf)
    const docs = fc.sample(doc, 300)
    await insertDocs('random', docs)
    const cases = fc.sample(
      fc.tuple(
        fc.constantFrom('x', 'y', 'z z'),
        fc.constantFrom<Filter['op']>('eq', 'ne', 'lt', 'lte', 'gt', 'gte'),
        fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('a', 'b', '1')),
      ),
      60,
    )
    for (const [key, op, value] of cases) {
      const expected = docs.flatMap((d, i) => (meets(d[key], op, value) ? [`e${i}`] : [])).toSorted()
      expect(await idsWhere('random', { field: `data["${key}"]`, op, value }), `${key} ${op} ${value}`).toEqual(
        expected,
      )
    }
    const { rows } = await aggregate('random', { groupBy: ['data.x'] })
    const groups = new Map<unknown, number>()
    for (const d of docs) groups.set(d.x ?? null, (groups.get(d.x ?? null) ?? 0) + 1)
    expect(new Map(rows.map((row) => [row['data.x'], row.n]))).toEqual(groups)
  }, 30_000)
})

function meets(value: unknown, op: Filter['op'], wanted: Scalar): boolean {
  if (op === 'eq') return value === wanted
  if (op === 'ne') return value !== wanted
  if (typeof value !== typeof wanted) return false
  const [a, b] = [value as string, wanted as string]
  return op === 'lt' ? a < b : op === 'lte' ? a <= b : op === 'gt' ? a > b : a >= b
}
