import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'

const signingSecret = z
  .object({ secret: z.string().describe('`whsec_` and base64, as Standard Webhooks has it') })
  .meta({ id: 'SigningSecret', description: 'What requests to participants are signed with' })

export const signingOperations = {
  getSigningSecret: {
    tag: 'Sagas',
    scope: 'sagas',
    method: 'GET',
    path: '/v1/saga-signing-secret',
    summary: 'The secret of this tenant that requests to participants are signed with, for them to check signatures',
    answers: { 200: { description: 'The secret', content: jsonContent(signingSecret) } },
    problems: [],
  },
} satisfies Operations
