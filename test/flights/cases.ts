import type { Condition, Query } from './oracle.ts'

const n = { fn: 'count', as: 'n' } as const
const mean = { fn: 'avg', field: 'data.delay', as: 'mean' } as const
const quantile = (field: string, q: number, as: string) => ({ fn: 'quantile', field, q, as }) as const
const by = (name: string, dir: 'asc' | 'desc' = 'asc') => ({ by: name, dir }) as const
const where = (field: string, op: Condition['op'], value: Condition['value']): Condition => ({ field, op, value })
const counted = (...filters: Condition[]): Query => ({ measures: [n], filters })

/** Questions about the flights. Each order is total, so that an answer has one right order. */
export const cases: Readonly<Record<string, Query>> = {
  'count of everything': { measures: [n] },
  'every id is there once': { measures: [n, { fn: 'uniq', field: 'id', as: 'ids' }] },
  'all measures at once': {
    measures: [
      n,
      { fn: 'sum', field: 'data.distance', as: 'miles' },
      mean,
      { fn: 'min', field: 'data.delay', as: 'least' },
      { fn: 'max', field: 'data.delay', as: 'most' },
      { fn: 'uniq', field: 'data.origin', as: 'origins' },
      { fn: 'uniq', field: 'data.destination', as: 'destinations' },
      quantile('data.delay', 0.5, 'median'),
    ],
  },
  'quantiles of the delay': {
    measures: [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1].map((q, i) => quantile('data.delay', q, `q${i}`)),
  },
  'distinct numbers': {
    measures: [
      { fn: 'uniq', field: 'data.delay', as: 'delays' },
      { fn: 'uniq', field: 'data.distance', as: 'distances' },
    ],
  },
  'busiest origins': {
    measures: [n],
    groupBy: ['data.origin'],
    orderBy: [by('n', 'desc'), by('data.origin')],
    limit: 20,
  },
  'every origin, by name': {
    measures: [n, mean, { fn: 'max', field: 'data.distance', as: 'farthest' }],
    groupBy: ['data.origin'],
    orderBy: [by('data.origin')],
    limit: 1000,
  },
  'every destination, quantiles': {
    measures: [quantile('data.delay', 0.95, 'p95'), quantile('data.distance', 0.5, 'median'), n],
    groupBy: ['data.destination'],
    orderBy: [by('data.destination', 'desc')],
    limit: 1000,
  },
  'busiest routes': {
    measures: [n, mean, { fn: 'min', field: 'data.distance', as: 'miles' }],
    groupBy: ['data.origin', 'data.destination'],
    orderBy: [by('n', 'desc'), by('data.origin'), by('data.destination')],
    limit: 100,
  },
  'by subject, an envelope attribute': {
    measures: [n],
    groupBy: ['subject'],
    orderBy: [by('n'), by('subject')],
    limit: 25,
  },
  'by a number': {
    measures: [n],
    groupBy: ['data.delay'],
    filters: [where('data.delay', 'gte', -3), where('data.delay', 'lt', 3)],
    orderBy: [by('data.delay')],
    limit: 100,
  },
  'by type and source': {
    measures: [n, { fn: 'sum', field: 'data.delay', as: 'minutes' }],
    groupBy: ['type', 'source'],
    orderBy: [by('type')],
    limit: 10,
  },
  'by month': {
    measures: [n, mean, quantile('data.delay', 0.95, 'p95')],
    interval: '1M',
    orderBy: [by('time')],
    limit: 100,
  },
  'by week': {
    measures: [n, { fn: 'max', field: 'data.delay', as: 'worst' }],
    interval: '1w',
    orderBy: [by('time')],
    limit: 100,
  },
  'by day': { measures: [n, mean], interval: '1d', orderBy: [by('time')], limit: 1000 },
  'worst days': { measures: [mean, n], interval: '1d', orderBy: [by('mean', 'desc'), by('time')], limit: 5 },
  'by hour within a week': {
    measures: [n, { fn: 'uniq', field: 'data.origin', as: 'origins' }],
    interval: '1h',
    range: { from: '2001-02-05T00:00:00Z', to: '2001-02-12T00:00:00Z' },
    orderBy: [by('time')],
    limit: 1000,
  },
  'by six hours and origin': {
    measures: [n],
    groupBy: ['data.origin'],
    interval: '6h',
    range: { from: '2001-03-01T00:00:00Z', to: '2001-03-04T00:00:00Z' },
    filters: [where('data.origin', 'in', ['ORD', 'ATL', 'DFW'])],
    orderBy: [by('time', 'desc'), by('data.origin')],
    limit: 1000,
  },
  'by month and origin': {
    measures: [n, mean],
    groupBy: ['data.origin'],
    interval: '1M',
    filters: [where('data.origin', 'in', ['SFO', 'JFK', 'LAX'])],
    orderBy: [by('time'), by('data.origin')],
    limit: 1000,
  },
  'a range with an offset': {
    measures: [n, { fn: 'sum', field: 'data.distance', as: 'miles' }],
    range: { from: '2001-01-31T19:00:00-05:00', to: '2001-02-01T12:30:00+01:00' },
  },
  'a range open below': { measures: [n], range: { to: '2001-01-02T00:00:00Z' } },
  'a range open above': { measures: [n, mean], range: { from: '2001-03-15T06:07:00Z' } },
  'a range with nothing in it': {
    measures: [
      n,
      mean,
      { fn: 'uniq', field: 'data.origin', as: 'origins' },
      { fn: 'min', field: 'data.delay', as: 'least' },
      quantile('data.delay', 0.5, 'median'),
    ],
    range: { from: '1999-01-01T00:00:00Z', to: '1999-02-01T00:00:00Z' },
  },
  'filter eq': counted(where('data.origin', 'eq', 'ORD')),
  'filter eq on a number': counted(where('data.delay', 'eq', 0)),
  'filter ne': counted(where('data.destination', 'ne', 'ATL')),
  'filter lt': counted(where('data.delay', 'lt', -20)),
  'filter lte': counted(where('data.delay', 'lte', -20)),
  'filter gt': counted(where('data.delay', 'gt', 60)),
  'filter gte': counted(where('data.delay', 'gte', 60)),
  'filter gt on a text': counted(where('data.origin', 'gt', 'SFO')),
  'filter in': counted(where('data.origin', 'in', ['SFO', 'SJC', 'OAK', 'nowhere'])),
  'filter in on numbers': counted(where('data.distance', 'in', [100, 337, 2176])),
  'filter nin': counted(where('data.origin', 'nin', ['ORD', 'ATL'])),
  'filter contains': counted(where('data.destination', 'contains', 'LA')),
  'filter exists': counted(where('data.delay', 'exists', true)),
  'filter exists not': counted(where('data.gate', 'exists', false)),
  'filter exists on what is not there': counted(where('data.gate', 'exists', true)),
  'filter ne on what is not there': counted(where('data.gate', 'ne', 'B12')),
  'filter lt on what is not there': counted(where('data.gate', 'lt', 5)),
  'a text is never compared with a number': counted(where('data.origin', 'gt', 5)),
  'a text that tries to be SQL': counted(where('data.origin', 'eq', "ORD' OR 1=1 --")),
  'filters on type and source': counted(where('type', 'eq', 'flight'), where('source', 'eq', '/flights/us')),
  'a type that is not there': counted(where('type', 'eq', 'train')),
  'filter on the subject': counted(where('subject', 'in', ['ORD', 'DFW'])),
  'many filters': {
    measures: [n, mean, quantile('data.delay', 0.9, 'p90')],
    groupBy: ['data.destination'],
    range: { from: '2001-02-01T00:00:00Z', to: '2001-03-01T00:00:00Z' },
    filters: [
      where('data.origin', 'ne', 'ORD'),
      where('data.delay', 'gt', 15),
      where('data.distance', 'lte', 1500),
      where('data.destination', 'nin', ['ATL']),
    ],
    orderBy: [by('mean', 'desc'), by('data.destination')],
    limit: 15,
  },
  'having on a count': {
    measures: [n, mean],
    groupBy: ['data.origin'],
    having: [where('n', 'gte', 50_000)],
    orderBy: [by('mean', 'desc'), by('data.origin')],
    limit: 1000,
  },
  'having on two measures': {
    measures: [n, mean, { fn: 'uniq', field: 'data.destination', as: 'destinations' }],
    groupBy: ['data.origin'],
    having: [where('mean', 'gt', 10), where('destinations', 'lt', 20)],
    orderBy: [by('destinations', 'desc'), by('data.origin')],
    limit: 1000,
  },
}
