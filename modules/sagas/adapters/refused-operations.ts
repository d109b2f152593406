import { receiptSchema } from '@splitstream/ingest/contract'
import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import { flag, nextPage, pageSize } from './parameters.ts'

const instant = z.string().meta({ format: 'date-time' })

const refused = {
  id: z.string(),
  saga: z.string(),
  step: z.string(),
  code: z.string().describe('A code of the error catalogue'),
  detail: z.string(),
  refusedAt: instant,
  event: z.looseObject({}).describe('As it was refused'),
  settled: z.enum(['sent', 'discarded']).nullable(),
  settledAt: instant.nullable(),
  settledBy: z.string().nullable(),
  note: z.string().nullable(),
}
const refusedEvent = z
  .object(refused)
  .meta({ id: 'RefusedEvent', description: 'What a saga emitted and ingest refused' })
const replayed = z.object({ ...refused, receipt: receiptSchema }).meta({ id: 'RefusedEventReplay' })

const note = z
  .string()
  .max(1_000)
  .refine((text) => !text.includes('\0'), 'no NUL can be kept')
  .optional()
  .describe('Kept with the event')

/** Bodies, by what is to be done. */
export const settlings = {
  replay: z.strictObject({
    event: z.json().optional().describe('A mended event, with the same id, in place of the one that was refused'),
    note,
  }),
  discard: z.strictObject({ note }),
}

const common = { tag: 'Refused events', scope: 'sagas' } as const
const byId = z.strictObject({ id: z.string().describe('The id of a refused event') })

export const refusedOperations = {
  listRefusedEvents: {
    ...common,
    method: 'GET',
    path: '/v1/refused-events',
    summary: 'List events that sagas emitted and ingest refused, newest first; with settled=true also those dealt with',
    query: z.strictObject({
      limit: pageSize(),
      before: z.string().optional().describe('`next` of the page before'),
      settled: flag.describe('Also those that were dealt with'),
    }),
    answers: {
      200: {
        description: 'A page',
        content: jsonContent(z.object({ refusedEvents: z.array(refusedEvent), next: nextPage('before') })),
      },
    },
    problems: ['CURSOR_INVALID'],
  },
  getRefusedEvent: {
    ...common,
    method: 'GET',
    path: '/v1/refused-events/:id',
    summary: 'One event that ingest refused',
    params: byId,
    answers: { 200: { description: 'The event', content: jsonContent(refusedEvent) } },
    problems: ['NOT_FOUND'],
  },
  replayRefusedEvent: {
    ...common,
    method: 'POST',
    path: '/v1/refused-events/:id/replay',
    summary: 'Send an event that ingest refused once more, or a mended one in its place',
    params: byId,
    body: jsonContent(settlings.replay, { asItWas: { note: 'ticket 17' } }),
    bodyOptional: true,
    /** As large as ingest takes an event, and more than a saga can have emitted. */
    maxBodyBytes: 2 << 20,
    answers: { 200: { description: 'It is sent', content: jsonContent(replayed) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'EVENT_INVALID', 'EVENT_TOO_LARGE', 'BODY_TOO_DEEP', 'UNKNOWN_OUTCOME'],
  },
  discardRefusedEvent: {
    ...common,
    method: 'POST',
    path: '/v1/refused-events/:id/discard',
    summary: 'Give an event up for good that ingest refused',
    params: byId,
    body: jsonContent(settlings.discard, { discard: { note: 'ticket 17' } }),
    bodyOptional: true,
    answers: { 200: { description: 'It is given up', content: jsonContent(refusedEvent) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  },
} satisfies Operations
