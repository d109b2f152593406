/** A question about the flights and the query that answers it. */
export interface DemoQuery {
  readonly question: string
  readonly query: Readonly<Record<string, unknown>>
}

const flight = { field: 'type', op: 'eq', value: 'flight' }
const source = { field: 'source', op: 'eq', value: '/flights/us' }
const filters = [flight, source]
const n = { fn: 'count', as: 'flights' }
const mean = { fn: 'avg', field: 'data.delay', as: 'mean_delay' }
const p95 = { fn: 'quantile', field: 'data.delay', q: 0.95, as: 'p95_delay' }

export const demoQueries: readonly DemoQuery[] = [
  {
    question: 'How many flights, airports and miles?',
    query: {
      measures: [
        n,
        { fn: 'uniq', field: 'data.origin', as: 'airports' },
        { fn: 'sum', field: 'data.distance', as: 'miles' },
      ],
      filters,
    },
  },
  {
    question: 'Which airports are the busiest?',
    query: {
      measures: [n, mean],
      groupBy: ['data.origin'],
      filters,
      orderBy: [{ by: 'flights', dir: 'desc' }],
      limit: 10,
    },
  },
  {
    question: 'From which airports (10,000 flights or more) is one delayed the most, on average (minutes)?',
    query: {
      measures: [mean, p95, n],
      groupBy: ['data.origin'],
      filters,
      having: [{ field: 'flights', op: 'gte', value: 10_000 }],
      orderBy: [{ by: 'mean_delay', dir: 'desc' }],
      limit: 10,
    },
  },
  {
    question: 'How does the delay move from month to month?',
    query: { measures: [n, mean, p95], interval: '1M', filters, orderBy: [{ by: 'time', dir: 'asc' }], limit: 100 },
  },
  {
    question: 'Which were the worst days?',
    query: {
      measures: [mean, p95, n],
      interval: '1d',
      filters,
      having: [{ field: 'flights', op: 'gte', value: 1_000 }],
      orderBy: [{ by: 'mean_delay', dir: 'desc' }],
      limit: 5,
    },
  },
  {
    question: 'Where do flights that are more than an hour late start?',
    query: {
      measures: [
        { fn: 'count', as: 'late_flights' },
        { fn: 'max', field: 'data.delay', as: 'worst' },
      ],
      groupBy: ['data.origin'],
      filters: [...filters, { field: 'data.delay', op: 'gt', value: 60 }],
      orderBy: [{ by: 'late_flights', dir: 'desc' }],
      limit: 5,
    },
  },
]

/** Flights more than an hour late, of all. Two answers make the share. */
export const lateShare = {
  all: { measures: [n], filters },
  late: { measures: [n], filters: [...filters, { field: 'data.delay', op: 'gt', value: 60 }] },
}
