import type { AggregateInput } from '../../contract/index.ts'

/** A count of all events, but for what is given. */
export const aggregateInput = (part: Partial<AggregateInput>): AggregateInput => ({
  measures: [{ fn: 'count', as: 'n' }],
  groupBy: [],
  range: {},
  filters: [],
  having: [],
  orderBy: [],
  limit: 100,
  ...part,
})
