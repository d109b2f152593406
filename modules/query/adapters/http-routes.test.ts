import { AppError, type Route, systemCall, systemClock } from '@splitstream/kernel'
import type { AggregateInput, ListInput, StorageRead } from '@splitstream/storage/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { queryModule } from './query-module.fixture.ts'

/* What the routes make of a request, and in which order they use the port. The engine's half is tested in storage. */

const event = { specversion: '1.0', id: '1', source: '/s', type: 't' }
const next = { time: '5', key: '6', partition: '0', offset: '7' }
let asked: (string | ListInput | AggregateInput)[]

const storage: StorageRead = {
  list: async (input) => {
    asked.push(input)
    return { events: [event], next, position: 'p1-0.9' }
  },
  aggregate: async (input) => {
    asked.push(input)
    return { columns: [{ name: 'n', type: 'number' }], rows: [{ n: 1 }], position: 'p1-0.9' }
  },
  awaitStored: async ({ position }) => {
    if (position === 'p1-0.99') throw new AppError('NOT_YET_STORED', 'later')
    asked.push(`await ${position}`)
    return { position }
  },
  follow: async () => {
    throw new AppError('INTERNAL', 'stream-route.test.ts is about this')
  },
}

const module = queryModule(storage)
const route = (path: string): Route => module.routes.find((one) => one.path === path)!
const call = (tenant = 'acme') => systemCall(systemClock, 5_000, new AbortController().signal, tenant)
const request = (query: Record<string, string>, body: Uint8Array = new Uint8Array(0)) => ({
  params: {},
  query,
  headers: {},
  mediaType: 'application/json',
  body,
})
const list = async (query: Record<string, string>, tenant?: string) =>
  (await route('/v1/events').handle(request(query), call(tenant))).json as { next: string }
const query = async (body: unknown) =>
  (
    await route('/v1/query').handle(
      request({}, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))),
      call(),
    )
  ).json

beforeEach(() => {
  asked = []
})

describe('GET /v1/events', () => {
  it('turns parameters into a listing; empty ones do not count', async () => {
    const answer = await list({
      type: 't',
      source: '',
      subject: 's',
      from: '2001-01-01T00:00:00 01:00',
      where: 'data.delay>60',
      limit: '5',
    })
    expect(answer).toEqual({ events: [event], next: expect.any(String), position: 'p1-0.9' })
    expect(asked).toEqual([
      {
        range: { from: '2001-01-01T00:00:00+01:00' },
        filters: [
          { field: 'type', op: 'eq', value: 't' },
          { field: 'subject', op: 'eq', value: 's' },
          { field: 'data.delay', op: 'gt', value: 60 },
        ],
        limit: 5,
      },
    ])
  })

  it('continues with its cursor, for the same tenant and filters only', async () => {
    const { next: cursor } = await list({ type: 't' })
    await list({ type: 't', cursor, limit: '7', after: 'p1-0.5' })
    expect(asked.slice(1)).toEqual(['await p1-0.5', expect.objectContaining({ before: next, limit: 7 })])
    await expect(list({ type: 'u', cursor })).rejects.toMatchObject({ code: 'CURSOR_INVALID' })
    await expect(list({ type: 't', cursor }, 'other')).rejects.toMatchObject({ code: 'CURSOR_INVALID' })
  })

  it('does not answer before the position is stored', async () => {
    await expect(list({ after: 'p1-0.99' })).rejects.toMatchObject({ code: 'NOT_YET_STORED' })
    expect(asked).toEqual([])
  })

  it.each(['p1-2.1', 'p1-0.1-zz.0'])('does not wait for %s, which the log cannot have', async (after) => {
    await expect(list({ after })).rejects.toMatchObject({ code: 'POSITION_INVALID' })
    await expect(query({ measures: [{ fn: 'count', as: 'n' }], after })).rejects.toMatchObject({
      code: 'POSITION_INVALID',
    })
    expect(asked).toEqual([])
  })

  it.each([
    [{ limit: '0' }, 'limit'],
    [{ limit: '10001' }, 'limit'],
    [{ limit: 'ten' }, 'limit'],
    [{ from: 'yesterday' }, 'from'],
    [{ to: '2001-02-30T00:00:00Z' }, 'to'],
    [{ where: 'delay>60' }, 'where'],
  ])('%j is refused', async (parameters, path) => {
    const problems = [expect.objectContaining({ path })]
    await expect(list(parameters as Record<string, string>)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      details: { problems },
    })
  })
})

describe('POST /v1/query', () => {
  const count = { fn: 'count', as: 'n' }

  it('takes the body of the design', async () => {
    const answer = await query({
      measures: [count, { fn: 'quantile', field: 'data.delay', q: 0.95, as: 'p95' }],
      groupBy: ['data.origin'],
      interval: '1d',
      range: { from: '2001-01-01T00:00:00Z' },
      filters: [{ field: 'type', op: 'eq', value: 'flight' }],
      orderBy: [{ by: 'n', dir: 'desc' }],
      limit: 10,
      after: 'p1-0.5',
    })
    expect(answer).toEqual({ columns: [{ name: 'n', type: 'number' }], rows: [{ n: 1 }], position: 'p1-0.9' })
    expect(asked).toEqual([
      'await p1-0.5',
      {
        measures: [count, { fn: 'quantile', field: 'data.delay', q: 0.95, as: 'p95' }],
        groupBy: ['data.origin'],
        interval: { n: 1, unit: 'day' },
        range: { from: '2001-01-01T00:00:00Z' },
        filters: [{ field: 'type', op: 'eq', value: 'flight' }],
        having: [],
        orderBy: [{ by: 'n', dir: 'desc' }],
        limit: 10,
      },
    ])
  })

  it('has defaults', async () => {
    await query({ measures: [count] })
    expect(asked).toEqual([
      {
        measures: [count],
        groupBy: [],
        range: {},
        filters: [],
        having: [],
        orderBy: [],
        limit: 100,
        interval: undefined,
      },
    ])
  })

  it.each<[Record<string, unknown>, string]>([
    [{}, '$.measures'],
    [{ measures: [] }, '$.measures'],
    [{ measures: [count], filter: [] }, '$'],
    [{ measures: [{ fn: 'median', as: 'm' }] }, '$.measures[0].fn'],
    [{ measures: [{ fn: 'avg', as: 'm' }] }, '$.measures[0].field'],
    [{ measures: [{ fn: 'avg', field: 'delay', as: 'm' }] }, '$.measures[0].field'],
    [{ measures: [{ fn: 'quantile', field: 'data.a', as: 'm' }] }, '$.measures[0].q'],
    [{ measures: [{ fn: 'quantile', field: 'data.a', q: 95, as: 'm' }] }, '$.measures[0].q'],
    [{ measures: [count], groupBy: ['data.a', 'nope'] }, '$.groupBy[1]'],
    [{ measures: [count], interval: '1x' }, '$.interval'],
    [{ measures: [count], range: { from: 'now' } }, '$.range.from'],
    [{ measures: [count], filters: [{ field: 'type', op: 'like', value: 'x' }] }, '$.filters[0].op'],
    [{ measures: [count], filters: [{ field: 'type', op: 'eq', value: null }] }, '$.filters[0].value'],
    [{ measures: [count], limit: 10_001 }, '$.limit'],
    [{ measures: [count], limit: 1.5 }, '$.limit'],
  ])('%j is refused at %s', async (body, path) => {
    const refused = query(body)
    await expect(refused).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
    await expect(refused).rejects.toMatchObject({
      details: { problems: expect.arrayContaining([expect.objectContaining({ path })]) },
    })
    expect(asked).toEqual([])
  })

  it.each([
    ['', 'BODY_EMPTY'],
    ['{"measures":', 'BODY_MALFORMED'],
    ['[]', 'REQUEST_INVALID'],
    ['null', 'REQUEST_INVALID'],
    ['['.repeat(100_000), 'BODY_MALFORMED'],
  ])('a body %# is refused', async (body, code) => {
    await expect(query(body)).rejects.toMatchObject({ code })
  })

  it('a body that is not UTF-8 is refused', async () => {
    const broken = request({}, Buffer.from([0x22, 0xff, 0x22]))
    await expect(route('/v1/query').handle(broken, call())).rejects.toMatchObject({ code: 'BODY_MALFORMED' })
  })
})
