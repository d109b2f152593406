import { systemCall, systemClock } from '@splitstream/kernel'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AggregateInput } from '../../contract/index.ts'
import { aggregate, as, clickhouse, insert, insertDocs, limits, reader } from './reader.fixture.ts'
import { createReader, type ReadLimits } from './reader.ts'

describe('measures', () => {
  it('are exact', async () => {
    await insertDocs('measures', [
      { v: 1 },
      { v: 2.5 },
      { v: '3' },
      { v: 10 },
      { v: null },
      {},
      { v: true },
      { v: 10 },
      { v: 10.0 },
    ])
    const { rows, columns } = await aggregate('measures', {
      measures: [
        { fn: 'count', as: 'n' },
        { fn: 'count', field: 'data.v', as: 'given' },
        { fn: 'uniq', field: 'data.v', as: 'kinds' },
        { fn: 'sum', field: 'data.v', as: 'sum' },
        { fn: 'avg', field: 'data.v', as: 'mean' },
        { fn: 'min', field: 'data.v', as: 'least' },
        { fn: 'max', field: 'data.v', as: 'most' },
        { fn: 'quantile', field: 'data.v', q: 0.375, as: 'q3' },
        { fn: 'quantile', field: 'data.v', q: 1, as: 'q10' },
        { fn: 'max', field: 'time', as: 'latest' },
        { fn: 'min', field: 'id', as: 'first' },
        { fn: 'avg', field: 'data.none', as: 'none' },
      ],
    })
    // numpy.quantile([1, 2.5, 10, 10, 10], 0.375) = 6.25
    expect(rows).toEqual([
      {
        n: 9,
        given: 7,
        kinds: 5,
        sum: 33.5,
        mean: 6.7,
        least: 1,
        most: 10,
        q3: 6.25,
        q10: 10,
        latest: '2001-02-03T04:05:06Z',
        first: 'e0',
        none: null,
      },
    ])
    expect(columns.find(({ name }) => name === 'latest')).toEqual({ name: 'latest', type: 'time' })
  })

  it('of nothing', async () => {
    const { rows } = await aggregate('nobody', {
      measures: [
        { fn: 'count', as: 'n' },
        { fn: 'sum', field: 'data.v', as: 'sum' },
        { fn: 'min', field: 'data.v', as: 'min' },
        { fn: 'max', field: 'time', as: 'time' },
        { fn: 'quantile', field: 'data.v', q: 0.5, as: 'q' },
      ],
    })
    expect(rows).toEqual([{ n: 0, sum: 0, min: null, time: null, q: null }])
    expect((await aggregate('nobody', { groupBy: ['data.v'] })).rows).toEqual([])
  })

  it('sums of integers are never rounded', async () => {
    const big = Number.MAX_SAFE_INTEGER
    await insertDocs('sums', [
      { a: big, b: big },
      { a: big, b: 1 },
      { a: 2, b: -1 },
    ])
    const { rows } = await aggregate('sums', {
      measures: [
        { fn: 'sum', field: 'data.a', as: 'a' },
        { fn: 'sum', field: 'data.b', as: 'b' },
      ],
    })
    expect(rows).toEqual([{ a: (2n * BigInt(big) + 2n).toString(), b: big }])
  })

  it('texts have a least and a greatest where there are no numbers', async () => {
    await insertDocs('texts', [{ v: 'b' }, { v: 'a' }])
    expect((await aggregate('texts', { measures: [{ fn: 'min', field: 'data.v', as: 'm' }] })).rows).toEqual([
      { m: 'a' },
    ])
  })
})

describe('groups, buckets, having, order', () => {
  beforeAll(() =>
    insertDocs('groups', [
      { g: 'b', v: 1 },
      { g: 'a', v: 2 },
      { g: 'a', v: 4 },
      { g: 7, v: 1 },
      { g: true, v: 1 },
      { v: 9 },
      { g: 7.0, v: 1 },
    ]),
  )

  it('a group is the natural value; numbers, texts, booleans, then null', async () => {
    const { rows, columns } = await aggregate('groups', { groupBy: ['data.g'] })
    expect(rows).toEqual([
      { 'data.g': 7, n: 2 },
      { 'data.g': 'a', n: 2 },
      { 'data.g': 'b', n: 1 },
      { 'data.g': true, n: 1 },
      { 'data.g': null, n: 1 },
    ])
    expect(columns).toEqual([
      { name: 'data.g', type: 'json' },
      { name: 'n', type: 'number' },
    ])
  })

  it('having, order and limit', async () => {
    const result = await aggregate('groups', {
      measures: [{ fn: 'sum', field: 'data.v', as: 'total' }],
      groupBy: ['data.g', 'type'],
      having: [{ field: 'total', op: 'gt', value: 1 }],
      orderBy: [{ by: 'total', dir: 'desc' }],
      limit: 2,
    })
    expect(result.rows).toEqual([
      { 'data.g': null, type: 'test', total: 9 },
      { 'data.g': 'a', type: 'test', total: 6 },
    ])
  })

  it.each<[string, NonNullable<AggregateInput['interval']>, string[]]>([
    ['15 m', { n: 15, unit: 'minute' }, ['1905-03-04T05:00:00Z', '2000-02-29T23:45:00Z', '2001-01-01T00:00:00Z']],
    ['1 d', { n: 1, unit: 'day' }, ['1905-03-04T00:00:00Z', '2000-02-29T00:00:00Z', '2001-01-01T00:00:00Z']],
    ['1 w', { n: 1, unit: 'week' }, ['1905-02-27T00:00:00Z', '2000-02-28T00:00:00Z', '2001-01-01T00:00:00Z']],
    ['1 M', { n: 1, unit: 'month' }, ['1905-03-01T00:00:00Z', '2000-02-01T00:00:00Z', '2001-01-01T00:00:00Z']],
    ['1 q', { n: 1, unit: 'quarter' }, ['1905-01-01T00:00:00Z', '2000-01-01T00:00:00Z', '2001-01-01T00:00:00Z']],
    ['1 y', { n: 1, unit: 'year' }, ['1905-01-01T00:00:00Z', '2000-01-01T00:00:00Z', '2001-01-01T00:00:00Z']],
    ['10 y', { n: 10, unit: 'year' }, ['1900-01-01T00:00:00Z', '2000-01-01T00:00:00Z']],
  ])('buckets of %s', async (name, interval, starts) => {
    const tenant = `buckets-${name}`
    const times = ['1905-03-04T05:06:07Z', '2000-02-29T23:59:59.999Z', '2001-01-01T00:00:00Z']
    await insert(
      tenant,
      times.map((time, i) => ({ id: `${i}`, time })),
    )
    const { rows, columns } = await aggregate(tenant, { interval })
    expect(rows.map(({ time }) => time)).toEqual(starts)
    expect(columns[0]).toEqual({ name: 'time', type: 'time' })
  })
})

describe('limits', () => {
  beforeAll(() =>
    insertDocs(
      'limits',
      Array.from({ length: 2_000 }, (_, i) => ({ v: i, t: 'x'.repeat(200) })),
    ),
  )
  const limited = (part: Partial<ReadLimits>) =>
    createReader({ clickhouse, confirmed: () => new Map(), limits: { ...limits, ...part } })
  const all = { range: {}, filters: [], limit: 10_000 }

  it.each<[string, Partial<ReadLimits>]>([
    ['rows read', { maxRowsToRead: 10 }],
    ['bytes answered', { maxResultBytes: 10_000 }],
    ['memory', { maxMemoryBytes: 10_000 }],
  ])('%s', async (_name, part) => {
    await expect(limited(part).list(all, as('limits'))).rejects.toMatchObject({ code: 'QUERY_TOO_COSTLY' })
  })

  it('a spent budget', async () => {
    await expect(reader.list(all, as('limits', 0))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })

  it('a caller that went away', async () => {
    const call = systemCall(systemClock, 10_000, AbortSignal.abort(), 'limits')
    await expect(reader.list(all, call)).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})
