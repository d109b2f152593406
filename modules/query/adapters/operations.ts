import { cloudEventSchema } from '@splitstream/ingest/contract'
import { jsonContent, type Operations } from '@splitstream/kernel'
import type { Table } from '@splitstream/storage/contract'
import { z } from 'zod'
import type { EventPage } from '../app/list-events.ts'
import { queryRequest } from '../domain/query-request.ts'
import { after, filterParameters, listParameters } from './list-parameters.ts'

const position = z.string().describe('The answer is complete up to here; for `after` of a query')

const eventPage = z
  .object({
    events: z.array(cloudEventSchema),
    next: z.string().nullable().describe('For `cursor`; null on the last page'),
    position,
  })
  .meta({ id: 'EventPage' }) satisfies z.ZodType<EventPage>

const table = z
  .object({
    columns: z.array(
      z.object({
        name: z.string(),
        type: z
          .enum(['string', 'number', 'boolean', 'time', 'json'])
          .describe('json: values of several types, or none. Integers beyond 2^53 are strings'),
      }),
    ),
    rows: z.array(z.record(z.string(), z.unknown())).describe('Each with a member for each column'),
    position,
  })
  .meta({ id: 'Table' }) satisfies z.ZodType<Table>

/** Of answers that are given once more while a dependency is away. */
const stale = {
  'Splitstream-Degraded': z
    .string()
    .optional()
    .describe('`stale; reason="…"`: an answer of earlier, as there is none now'),
  Age: z.int().optional().describe('How old that answer is, s'),
}

const example = {
  measures: [
    { fn: 'count', as: 'n' },
    { fn: 'quantile', field: 'data.total', q: 0.95, as: 'p95' },
  ],
  groupBy: ['data.city'],
  interval: '1d',
  range: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' },
  filters: [{ field: 'type', op: 'eq', value: 'order' }],
  having: [{ field: 'n', op: 'gte', value: 1 }],
  orderBy: [{ by: 'n', dir: 'desc' }],
  limit: 10,
}

const maxBodyBytes = 1_048_576

export const queryOperations = {
  streamEvents: {
    tag: 'Events',
    method: 'GET',
    path: '/v1/events/stream',
    scope: 'query',
    summary: 'Events as they are stored (server-sent events); Last-Event-ID resumes without a gap and without a double',
    description: 'Each event has an `id`, its place. The stream has no end; one that is cut is resumed at any process.',
    query: z.strictObject({
      ...filterParameters,
      after: after.describe('A `position` to begin behind; now if absent'),
    }),
    headers: { 'Last-Event-ID': z.string().optional().describe('The last `id` that came; it wins over `after`') },
    answers: {
      200: {
        description: 'The stream. An event of the name `problem` says why it ends before its time',
        content: {
          'text/event-stream': {
            schema: z.string(),
            examples: {
              event: 'id: p1-0.1s-1.7\ndata: {"specversion":"1.0","id":"1","source":"/shop","type":"order"}\n\n',
            },
          },
        },
      },
    },
    problems: ['POSITION_INVALID', 'PORT_UNKNOWN', 'UNKNOWN_OUTCOME'],
  },
  listEvents: {
    tag: 'Events',
    method: 'GET',
    path: '/v1/events',
    scope: 'query',
    summary: 'List events, newest first, by type, source, subject, time and conditions on data',
    query: listParameters,
    answers: { 200: { description: 'A page', content: jsonContent(eventPage), headers: stale } },
    problems: ['CURSOR_INVALID', 'POSITION_INVALID', 'NOT_YET_STORED', 'QUERY_TOO_COSTLY', 'UNKNOWN_OUTCOME'],
  },
  queryEvents: {
    tag: 'Events',
    method: 'POST',
    path: '/v1/query',
    scope: 'query',
    summary: 'Aggregate events: measures by groups and time buckets',
    description: 'Unknown members are refused: a misspelt filter must not widen an answer.',
    maxBodyBytes,
    body: jsonContent(queryRequest, {
      totals: { measures: [{ fn: 'sum', field: 'data.total', as: 'revenue' }] },
      byCityAndDay: example,
    }),
    answers: { 200: { description: 'The table', content: jsonContent(table), headers: stale } },
    problems: ['POSITION_INVALID', 'NOT_YET_STORED', 'QUERY_TOO_COSTLY', 'UNKNOWN_OUTCOME'],
  },
} satisfies Operations
