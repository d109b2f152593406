import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import { appendedSchema, cloudEventSchema, eventSchema } from '../contract/index.ts'

const attribute = (text: string) => z.string().optional().describe(`Binary mode: ${text}, percent-encoded`)
const lines = {
  schema: z.string().describe('One event a line; blank lines are skipped'),
  examples: {
    twoOrders:
      '{"id":"1","source":"/shop","type":"order","data":{"total":99.5}}\n{"id":"2","source":"/shop","type":"order"}\n',
  },
}
const order = {
  id: '7f3',
  source: '/shop',
  type: 'order',
  subject: 'customer-7',
  time: '2026-01-31T12:00:00Z',
  data: { total: 99.5, city: 'Ghent' },
}
const versioned = { specversion: '1.0', ...order }
const appended = { accepted: 1, rejected: 0, duplicates: 0, repeated: [], position: 'p1-0.17', errors: [] }
const degraded = (text: string) => z.string().optional().describe(text)

export const ingestOperations = {
  appendEvents: {
    tag: 'Events',
    method: 'POST',
    path: '/v1/events',
    scope: 'ingest',
    hot: true,
    summary: 'Append events: CloudEvents structured, batch or binary, NDJSON, or a JSON array',
    description:
      'A 2xx means: every accepted event is durable and will be stored exactly once. A client that is not sure sends the same ' +
      'events again: `source` and `id` tell that they are the same. Bodies may be compressed. Limits are the settings MAX_BODY_BYTES, MAX_BATCH_EVENTS and ' +
      'MAX_EVENT_BYTES.',
    query: z.strictObject({
      mode: z
        .enum(['partial', 'strict'], { error: 'strict or partial is expected' })
        .default('partial')
        .describe('strict: one bad event refuses the whole request'),
      wait: z
        .literal('stored', { error: 'stored is expected' })
        .optional()
        .describe('The answer comes once queries see the events, or with 202 when that takes too long'),
    }),
    headers: {
      'ce-specversion': attribute('1.0'),
      'ce-id': attribute('the id'),
      'ce-source': attribute('the source'),
      'ce-type': attribute(
        'the type; with it or `ce-id` the body is the data of one event. Further `ce-` headers are attributes',
      ),
    },
    accepts: ['*/*'],
    body: {
      'application/json': {
        schema: z.union([eventSchema, z.array(eventSchema)]),
        examples: { one: order, several: [order, { id: '7f4', source: '/shop', type: 'order' }] },
      },
      'application/cloudevents+json': { schema: cloudEventSchema, examples: { structured: versioned } },
      'application/cloudevents-batch+json': {
        schema: z.array(cloudEventSchema),
        examples: { batch: [versioned, { ...versioned, id: '7f4' }] },
      },
      'application/x-ndjson': lines,
      'application/ndjson': lines,
      'application/jsonl': lines,
      '*/*': { schema: z.any().describe('The data of one event whose attributes are in `ce-` headers (binary mode)') },
    },
    answers: {
      200: { description: 'Durable, and visible to queries (`wait=stored`)', content: jsonContent(appendedSchema) },
      202: {
        description: 'Durable; soon visible',
        content: jsonContent(appendedSchema, { accepted: appended }),
        headers: {
          'Splitstream-Degraded': degraded(
            '`not-yet-stored`: not visible in the time of the request. `spooled`: the log cannot be reached, and the events are durable here',
          ),
        },
      },
    },
    problems: [
      'BATCH_TOO_LARGE',
      'BODY_TOO_DEEP',
      'EVENT_INVALID',
      'EVENT_MALFORMED',
      'EVENT_TOO_LARGE',
      'EVENT_TOO_DEEP',
      'EVENT_TIME_OUT_OF_RANGE',
      'EVENT_NUMBER_UNSAFE',
      'BATCH_REFUSED',
      'DISK_FULL',
      'UNKNOWN_OUTCOME',
    ],
  },
} satisfies Operations
