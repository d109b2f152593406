import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AggregateInput, CompareOp, Filter, ListInput, Measure } from '../../contract/index.ts'
import { parseField } from '../../contract/index.ts'
import { aggregateInput } from './aggregate-input.fixture.ts'
import { compileAggregate } from './compile-aggregate.ts'
import { compileList } from './compile-list.ts'

/** Every word that a statement may have; whatever else it says would have come from the request. */
const vocabulary = new Set(
  `SELECT FROM WHERE AND OR NOT IN GROUP BY HAVING ORDER ASC DESC NULLS LAST LIMIT AS NULL x
   events tenant time received kind id source type subject datacontenttype dataschema extensions data _key _log_partition
   _log_offset at key partition offset
   ifNull isNull isNotNull isNaN notEmpty nullIf coalesce if toFloat64 toInt64 toInt128 toString position has arrayExists
   dynamicElement positiveModulo toYear toMonth toUnixTimestamp64Micro fromUnixTimestamp64Micro JSONType JSONExtractString
   JSONExtractFloat JSONExtractBool count countIf uniqExact minOrNull maxOrNull avgOrNull sum quantilesExactInclusive
   Int64 UInt64 Double String Float64 Bool Null UTC`.split(/\s+/),
)

function foreignWords(sql: string): string[] {
  const own = sql.replace(
    /\{p\d+:(?:Identifier|String|Bool|Float64|U?Int(?:32|64)|Array\((?:String|Float64|Int64)\))\}/g,
    ' ',
  )
  const words = own.match(/[^\s()[\]'",.<>=!+*>-]+/g) ?? []
  return words.filter((word) => !vocabulary.has(word) && !/^(?:[bgm]\d*(?:num|str|bool|time|x|y)|\d+)$/.test(word))
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    "' OR 1=1 --",
    '`; DROP TABLE events',
    '{p0:String}',
    '\\',
    "\\'",
    '*/ SELECT',
    'tenant',
    ')) UNION ALL SELECT',
  ),
)
const fields = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      'id',
      'type',
      'time',
      'subject',
      'data',
      'data.a',
      'data.a.b',
      'data["x y"].z',
      'ext.trace',
    ),
  },
  hostile,
  hostile.map((text) => `data.${text}`),
  hostile.map((text) => `data["${text}"]`),
  hostile.map((text) => `ext.\`${text}\``),
)
const scalars = fc.oneof(hostile, fc.double({ noNaN: true }), fc.boolean(), fc.constant('2001-02-03T04:05:06Z'))
const ops = fc.constantFrom<CompareOp>('eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'nin', 'contains', 'exists')
const filters: fc.Arbitrary<Filter> = fc.record({
  field: fields,
  op: ops,
  value: fc.oneof(scalars, fc.array(scalars, { maxLength: 4 })),
})
const measures: fc.Arbitrary<Measure> = fc.record({
  fn: fc.constantFrom('count', 'uniq', 'sum', 'avg', 'min', 'max', 'quantile'),
  field: fc.option(fields, { nil: undefined }),
  q: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  as: hostile,
})
const inputs: fc.Arbitrary<AggregateInput> = fc.record({
  measures: fc.array(measures, { minLength: 1, maxLength: 3 }),
  groupBy: fc.array(fields, { maxLength: 2 }),
  interval: fc.constantFrom(undefined, { n: 2, unit: 'week' }, { n: 1, unit: 'month' }),
  range: fc.record({
    from: fc.constantFrom(undefined, undefined, '2001-01-01T00:00:00Z', "' OR 1=1"),
    to: fc.constant(undefined),
  }),
  filters: fc.array(filters, { maxLength: 3 }),
  having: fc.constant([]),
  orderBy: fc.constant([]),
  limit: fc.constant(10),
})

/** The statement, or the code it is refused with. */
const attempt = <T>(compile: () => T): T | string => {
  try {
    return compile()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
}

describe('no request changes the text of a statement', () => {
  it('aggregations: only words of our own, whatever is asked', () => {
    let compiled = 0
    fc.assert(
      fc.property(inputs, hostile, (input, tenant) => {
        const result = attempt(() => compileAggregate(input, tenant))
        if (typeof result === 'string') {
          expect(result).toBe('REQUEST_INVALID')
          return
        }
        compiled++
        expect(foreignWords(result.query.sql)).toEqual([])
      }),
      { numRuns: 3000 },
    )
    expect(compiled).toBeGreaterThan(100)
  })

  it('listings: the same', () => {
    const lists: fc.Arbitrary<ListInput> = fc.record({
      range: fc.constant({}),
      filters: fc.array(filters, { maxLength: 3 }),
      limit: fc.integer({ min: 1, max: 100 }),
      before: fc.option(fc.record({ time: hostile, key: hostile, partition: hostile, offset: hostile }), {
        nil: undefined,
      }),
    })
    fc.assert(
      fc.property(lists, hostile, (input, tenant) => {
        const result = attempt(() => compileList(input, tenant))
        if (typeof result === 'string') {
          expect(result).toBe('REQUEST_INVALID')
          return
        }
        expect(foreignWords(result.sql)).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  it('the check finds a planted concatenation', () => {
    expect(foreignWords("SELECT count() FROM events WHERE type = 'flight'")).toEqual(['flight'])
    expect(foreignWords('SELECT count() FROM events WHERE {p0:String} = doc.delay')).toEqual(['doc', 'delay'])
  })

  it('always asks for one tenant, the caller’s', () => {
    const { query } = compileAggregate(aggregateInput({}), 'acme')
    expect(query.sql.match(/tenant/g)).toHaveLength(1)
    expect(query.params).toMatchObject({ p0: 'acme' })
    expect(query.sql).toContain('WHERE tenant = {p0:String}')
    expect(compileList({ range: {}, filters: [], limit: 1 }, 'acme').sql).toContain('WHERE tenant = {p0:String}')
  })
})

describe('what is refused', () => {
  it.each([
    [{ filters: [{ field: 'nonsense', op: 'eq', value: 1 }] }, '$.filters[0].field'],
    [{ filters: [{ field: 'time', op: 'gt', value: 5 }] }, '$.filters[0].value'],
    [{ filters: [{ field: 'type', op: 'in', value: 'x' }] }, '$.filters[0].value'],
    [{ filters: [{ field: 'data.a', op: 'in', value: [] }] }, '$.filters[0].value'],
    [{ filters: [{ field: 'data.a', op: 'gt', value: true }] }, '$.filters[0].value'],
    [{ filters: [{ field: 'data.a', op: 'exists', value: 'yes' }] }, '$.filters[0].value'],
    [{ measures: [{ fn: 'avg', field: 'subject', as: 'a' }] }, '$.measures[0].field'],
    [{ measures: [{ fn: 'sum', as: 'a' }] }, '$.measures[0]'],
    [{ measures: [{ fn: 'quantile', field: 'data.a', as: 'a' }] }, '$.measures[0].q'],
    [
      {
        measures: [
          { fn: 'count', as: 'a' },
          { fn: 'count', as: 'a' },
        ],
      },
      '$.measures[1].as',
    ],
    [{ groupBy: ['time'], interval: { n: 1, unit: 'day' } }, '$.groupBy[0]'],
    [{ having: [{ field: 'm', op: 'gt', value: 1 }] }, '$.having[0].field'],
    [{ orderBy: [{ by: 'm', dir: 'asc' }] }, '$.orderBy[0].by'],
    [{ range: { from: 'yesterday' } }, '$.range.from'],
    [{ limit: 0 }, '$.limit'],
  ] as const)('%j', (part, path) => {
    const compile = () => compileAggregate(aggregateInput(part as Partial<AggregateInput>), 'acme')
    expect(compile).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }))
    expect(compile).toThrow(`${path}:`)
  })
})

describe('fields', () => {
  it.each([
    ['data.a.b', 'a.b'],
    ['data["a"].b', 'a.b'],
    ['data.`air port`.code', 'air port.code'],
    ['data["a.b"].c', 'a.b.c'],
    ['data.ünï.😀', 'ünï.😀'],
    ['data["a>=b"]', 'a>=b'],
  ])('%s', (text, path) => expect(parseField(text)).toEqual({ kind: 'path', path }))

  it.each([
    '',
    'data.',
    'data..a',
    'data.a.',
    'data[0]',
    'data.a b',
    'data.a`',
    "data.it's",
    'type.a',
    'ext',
    'ext.a.b',
    'doc.a',
    'tenant',
    'data["a\\"]',
    'data["..a"]',
    `data.${'a'.repeat(1001)}`,
  ])('not %s', (text) => expect(parseField(text)).toBeUndefined())
})

describe('how much the engine works off between two looks whether a query is still wanted', () => {
  const rowsOfBlock = (groupBy: string[]): unknown =>
    compileAggregate(aggregateInput({ groupBy }), 'acme').query.settings?.max_block_size

  it('is less, the more columns it is grouped by, but a granule of the table at least', () => {
    const fields = [[], ['type'], ['type', 'source'], ['id', 'type', 'source'], ['id', 'type', 'source', 'data.a']]
    expect(fields.map(rowsOfBlock)).toEqual([65_536, 32_768, 16_384, 8_192, 8_192])
  })
})
