import { type Contents, jsonContent, type Operation, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import { idempotencyKey } from './saga-operations.ts'
import { orderedSaga } from './saga-schemas.ts'

const step = z.string().min(1).max(64).describe('The id of a step')
const note = z.string().max(1_000).optional().describe('For the history')

/** Bodies, by action. */
export const orders = {
  cancel: z.strictObject({ step: step.optional(), note }),
  retry: z.strictObject({ step, note }),
  skip: z.strictObject({ step, note }),
  resolve: z.strictObject({
    step: step.optional(),
    output: z.json().optional().describe('What came of it; any JSON value'),
    note,
  }),
}

const order = (action: keyof typeof orders, summary: string, body: Contents) =>
  ({
    tag: 'Sagas',
    method: 'POST',
    path: `/v1/sagas/:id/${action}`,
    scope: 'sagas',
    summary,
    params: z.strictObject({ id: z.string().describe('The id of a saga').meta({ format: 'uuid' }) }),
    headers: idempotencyKey,
    body,
    bodyOptional: true,
    maxBodyBytes: 65_536,
    answers: {
      200: { description: 'It has obeyed', content: jsonContent(orderedSaga) },
      202: { description: 'It has not taken the order in yet, and will', content: jsonContent(orderedSaga) },
    },
    problems: ['NOT_FOUND', 'CONFLICT', 'IDEMPOTENCY_KEY_BUSY', 'IDEMPOTENCY_KEY_REUSED', 'BODY_TOO_DEEP'],
  }) satisfies Operation

const note17 = 'ticket 17'

export const orderOperations = {
  cancelSaga: order(
    'cancel',
    'Undo what a saga has done, as long as there is a way back',
    jsonContent(orders.cancel, { cancel: { note: note17 } }),
  ),
  retrySaga: order(
    'retry',
    'Try a step again that has failed, or its undo',
    jsonContent(orders.retry, { retry: { step: 'ship', note: note17 } }),
  ),
  skipSaga: order(
    'skip',
    'Go on as if a step, or its undo, were not needed',
    jsonContent(orders.skip, { skip: { step: 'ship', note: note17 } }),
  ),
  resolveSaga: order(
    'resolve',
    'Say what came of a step, or of the saga: it goes on with that',
    jsonContent(orders.resolve, { resolve: { step: 'ship', output: { parcel: 'p-4' }, note: note17 } }),
  ),
} satisfies Operations
