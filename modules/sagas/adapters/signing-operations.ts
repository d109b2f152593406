import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'

const secret = z.string().describe('`whsec_` and base64, as Standard Webhooks has it')

const signingSecret = z
  .object({
    secret,
    previous: z
      .object({ secret, until: z.string().meta({ format: 'date-time' }) })
      .optional()
      .describe('The one before: until then requests have a signature of each'),
  })
  .meta({ id: 'SigningSecret', description: 'What requests to participants are signed with' })

export const change = z.strictObject({
  graceSeconds: z.number().int().min(0).max(2_592_000).default(86_400).describe('For how long the old secret goes on'),
})

const common = { tag: 'Sagas', scope: 'sagas', path: '/v1/saga-signing-secret' } as const

export const signingOperations = {
  getSigningSecret: {
    ...common,
    method: 'GET',
    summary: 'The secret of this tenant that requests to participants are signed with, for them to check signatures',
    answers: { 200: { description: 'The secret', content: jsonContent(signingSecret) } },
    problems: [],
  },
  changeSigningSecret: {
    ...common,
    method: 'POST',
    summary: 'Give this tenant another secret; the old one goes on beside it for a grace period',
    description:
      'During the grace period requests have two signatures, so that participants can learn the new secret one after the other. `CONFLICT` while an earlier grace period runs, so a repeated request changes nothing; with `graceSeconds` 0 all earlier secrets end at once.',
    body: jsonContent(change, { anHour: { graceSeconds: 3_600 } }),
    bodyOptional: true,
    answers: { 200: { description: 'The new secret, and the old one', content: jsonContent(signingSecret) } },
    problems: ['CONFLICT', 'BODY_TOO_DEEP'],
  },
} satisfies Operations
