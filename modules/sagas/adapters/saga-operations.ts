import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import { sagaStatuses } from '../domain/state.ts'
import { maxInputBytes } from '../domain/trigger.ts'
import { flag, instantParameter, nextPage, pageSize, wholeNumberOr } from './parameters.ts'
import { historyEvent, sagaDetail, sagaSummary, startedSaga } from './saga-schemas.ts'

const maxWaitSeconds = 30

/** In ms. */
const wait = z
  .string()
  .regex(/^\d+(\.\d+)?s?$/, `a number of seconds is expected, ${maxWaitSeconds} at most`)
  .transform((text) => Number.parseFloat(text) * 1_000)
  .refine((ms) => ms <= maxWaitSeconds * 1_000, `a number of seconds is expected, ${maxWaitSeconds} at most`)
  .default(0)
  .describe(`How long to wait for the end of the saga, s; ${maxWaitSeconds} at most`)

const byId = z.strictObject({ id: z.string().describe('The id of a saga').meta({ format: 'uuid' }) })
const location = { Location: z.string().describe('The path of the saga') }
const replayed = {
  'Idempotent-Replayed': z.literal('true').optional().describe('The Idempotency-Key made this saga before'),
}

const keyText = z.string().regex(/^[\x20-\x7e]{1,255}$/)

export const idempotencyKey = {
  'Idempotency-Key': keyText
    .optional()
    .describe('1 to 255 printable ASCII characters: sent again, the request is carried out once'),
}

export const sagaOperations = {
  startSaga: {
    tag: 'Sagas',
    method: 'POST',
    path: '/v1/sagas/:name',
    scope: 'sagas',
    hot: true,
    summary: 'Start a saga; with wait=<seconds> the answer comes when it has ended',
    description: 'The body is the input. The Idempotency-Key is needed unless the definition says that it is optional.',
    params: z.strictObject({ name: z.string().describe('The name of a definition') }),
    query: z.strictObject({ wait }),
    headers: idempotencyKey,
    body: jsonContent(z.any().describe('The input of the saga, as its definition expects it'), {
      order: { order: 'o-17', total: 99.5 },
    }),
    maxBodyBytes: maxInputBytes,
    answers: {
      200: { description: 'It has ended', content: jsonContent(startedSaga), headers: { ...location, ...replayed } },
      202: {
        description: 'It is durable, and runs',
        content: jsonContent(startedSaga),
        headers: { ...location, ...replayed },
      },
    },
    problems: [
      'NOT_FOUND',
      'BODY_TOO_DEEP',
      'IDEMPOTENCY_KEY_MISSING',
      'IDEMPOTENCY_KEY_BUSY',
      'IDEMPOTENCY_KEY_REUSED',
      'CONFLICT',
    ],
  },
  listSagas: {
    tag: 'Sagas',
    method: 'GET',
    path: '/v1/sagas',
    scope: 'sagas',
    summary: 'List sagas, newest first',
    query: z.strictObject({
      name: z.string().optional().describe('Of one definition'),
      status: z.enum(sagaStatuses).optional(),
      problem: flag.describe('Only those that something keeps from going on'),
      key: keyText.optional().describe('The Idempotency-Key of the request that started it'),
      startedBy: z.string().max(4_096).optional().describe('The event that started it, `<source> <id>`'),
      from: instantParameter.describe('Started at this instant or later'),
      to: instantParameter.describe('Started before this instant'),
      limit: pageSize(),
      before: z.string().optional().describe('`next` of the page before').meta({ format: 'uuid' }),
    }),
    answers: {
      200: {
        description: 'A page',
        content: jsonContent(z.object({ sagas: z.array(sagaSummary), next: nextPage('before') })),
      },
    },
    problems: ['CURSOR_INVALID'],
  },
  getSaga: {
    tag: 'Sagas',
    method: 'GET',
    path: '/v1/sagas/:id',
    scope: 'sagas',
    summary: 'A saga: its steps, and what it waits for',
    params: byId,
    answers: { 200: { description: 'The saga', content: jsonContent(sagaDetail) } },
    problems: ['NOT_FOUND'],
  },
  getSagaHistory: {
    tag: 'Sagas',
    method: 'GET',
    path: '/v1/sagas/:id/history',
    scope: 'sagas',
    summary: 'All that happened to a saga, oldest first',
    params: byId,
    query: z.strictObject({
      after: wholeNumberOr(0, 0, 1_000_000_000).describe('`next` of the page before'),
      limit: pageSize(500),
    }),
    answers: {
      200: {
        description: 'A page',
        content: jsonContent(
          z.object({
            history: z.array(historyEvent),
            next: z.int().nullable().describe('For `after`; null on the last page'),
          }),
        ),
      },
    },
    problems: ['NOT_FOUND'],
  },
} satisfies Operations
