import { receiptSchema } from '@splitstream/ingest/contract'
import { jsonContent, numberIn, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import type { ReplayOutcome } from '../app/replay-dead-letters.ts'
import { placePattern } from './dead-letters.ts'
import type { LossView } from './losses.ts'

const instant = z.string().meta({ format: 'date-time' })

const deadLetter = z
  .object({
    id: z.string(),
    code: z.string().describe("The name of the store's error, or LOG_CORRUPT, which only the operator sees"),
    reason: z.string(),
    failedAt: instant,
    replayedAt: instant.nullable(),
    partition: z.int(),
    offset: z.int(),
    event: z.unknown().optional().describe('As it was received'),
    recordBase64: z.string().optional().describe('In place of `event`: bytes of the log that are no event'),
  })
  .meta({ id: 'DeadLetter', description: 'An event that was acknowledged and could not be stored' })

const outcome = z
  .object({
    dryRun: z.boolean(),
    found: z.int().min(0),
    replayable: z.int().min(0),
    receipt: receiptSchema.optional(),
  })
  .meta({ id: 'DeadLetterReplay' }) satisfies z.ZodType<ReplayOutcome>

export const replayBody = z
  .strictObject({
    ids: z.array(z.string().max(64)).min(1).max(1000),
    dryRun: z.boolean().default(true).describe('Only say what would happen'),
    event: z.unknown().optional().describe('A mended event, for a single id'),
  })
  .meta({ id: 'DeadLetterReplayRequest' })

const limit = z.int({ error: 'a whole number from 1 to 1000 is expected' }).min(1).max(1_000).default(100)
const byId = z.strictObject({ id: z.string().describe('The id of a dead letter') })

export const deadLetterOperations = {
  listDeadLetters: {
    tag: 'Dead letters',
    method: 'GET',
    path: '/v1/dead-letters',
    scope: 'admin',
    summary: 'List events that were acknowledged and could not be stored, newest first',
    description: 'A page ends at `limit` letters, or at 8 MiB of their events; one letter it always has.',
    query: z.strictObject({
      limit: z.preprocess(numberIn, limit),
      code: z.string().optional().describe('Only those with this code'),
      before: z
        .string()
        .regex(placePattern, { error: '`next` of the page before is expected' })
        .optional()
        .describe('`next` of the page before'),
    }),
    answers: {
      200: {
        description: 'A page',
        content: jsonContent(
          z.object({
            deadLetters: z.array(deadLetter),
            next: z.string().nullable().describe('For `before`; null on the last page'),
          }),
        ),
      },
    },
  },
  getDeadLetter: {
    tag: 'Dead letters',
    method: 'GET',
    path: '/v1/dead-letters/:id',
    scope: 'admin',
    summary: 'One dead letter',
    params: byId,
    answers: { 200: { description: 'The dead letter', content: jsonContent(deadLetter) } },
    problems: ['NOT_FOUND'],
  },
  replayDeadLetters: {
    tag: 'Dead letters',
    method: 'POST',
    path: '/v1/dead-letters/replay',
    scope: 'admin',
    summary: 'Send dead letters through ingest again; a dry run unless dryRun is false',
    description:
      'Idempotent: events keep their ids. The letters stay until they are deleted. They go in pieces of 8 MiB: a piece that is refused ends the replay, and those before it are done.',
    body: jsonContent(replayBody, { dryRun: { ids: ['0190b2a4-8f7e-7cc1-a1c6-5a5e3c1d2f00'] } }),
    answers: { 200: { description: 'What was done, or would be', content: jsonContent(outcome) } },
    problems: ['EVENT_INVALID', 'BATCH_REFUSED', 'DISK_FULL', 'UNKNOWN_OUTCOME'],
  },
  deleteDeadLetter: {
    tag: 'Dead letters',
    method: 'DELETE',
    path: '/v1/dead-letters/:id',
    scope: 'admin',
    summary: 'Give a dead letter up for good',
    params: byId,
    answers: { 204: { description: 'It is deleted' } },
    problems: ['NOT_FOUND'],
  },
} satisfies Operations

const loss = z
  .object({
    id: z.string(),
    partition: z.int(),
    missing: z.int().nullable().describe('Stored events that are gone; null for a range of the log'),
    first: z
      .int()
      .nullable()
      .describe('Of a range that was deleted before it was stored, inclusive; on Kafka a record has 65536 offsets'),
    last: z.int().nullable(),
    noticedAt: instant,
    acknowledgedAt: instant.nullable(),
  })
  .meta({ id: 'Loss', description: 'Accepted events that are gone' }) satisfies z.ZodType<LossView>

export const lossOperations = {
  listLosses: {
    tag: 'Dead letters',
    method: 'GET',
    path: '/v1/losses',
    scope: 'admin',
    operator: true,
    summary:
      'List what was lost: stored events that are gone, and ranges of the log that were deleted before they were stored',
    query: z.strictObject({
      limit: z.preprocess(numberIn, limit),
      before: z
        .string()
        .regex(/^\d{1,18}$/, { error: '`next` of the page before is expected' })
        .optional()
        .describe('`next` of the page before'),
    }),
    answers: {
      200: {
        description: 'A page, newest first',
        content: jsonContent(
          z.object({
            losses: z.array(loss),
            next: z.string().nullable().describe('For `before`; null on the last page'),
          }),
        ),
      },
    },
  },
  acknowledgeLosses: {
    tag: 'Dead letters',
    method: 'POST',
    path: '/v1/losses/acknowledge',
    scope: 'admin',
    operator: true,
    summary: 'Acknowledge all losses: stored events that are gone, and ranges of the log that were never stored',
    description: 'Until then the process is not ready.',
    answers: {
      200: {
        description: 'How many there were',
        content: jsonContent(z.object({ acknowledgedEvents: z.int().min(0), acknowledgedRanges: z.int().min(0) })),
      },
    },
  },
} satisfies Operations
