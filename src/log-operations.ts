import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'

const log = z.enum(['local', 'kafka'])

export const forgotten = z.strictObject({
  log,
  user: z.string().min(1).max(1_000).optional().describe('As in the list; without one the whole log is given up'),
})

const turns = z
  .object({
    turns: z.array(z.object({ log, consumer: z.string(), turn: z.number(), state: z.enum(['open', 'empty', 'over']) })),
    users: z.array(
      z.object({
        log,
        name: z.string(),
        writes: z.boolean(),
        consumers: z.array(z.string()),
        seenAt: z.string().meta({ format: 'date-time', description: 'To the hour' }),
      }),
    ),
  })
  .meta({ id: 'EventLogs' })

const common = { tag: 'Installation', scope: 'admin', operator: true } as const

export const logOperations = {
  listEventLogs: {
    ...common,
    method: 'GET',
    path: '/v1/event-logs',
    summary: 'Event logs, whose turn it is, and the processes that use them',
    answers: { 200: { description: 'Turns of consumers, and users', content: jsonContent(turns) } },
  },
  forgetEventLog: {
    ...common,
    method: 'POST',
    path: '/v1/event-logs/forget',
    summary: 'Wait no more for a process, or for a whole log, whose events are lost or elsewhere',
    maxBodyBytes: 16 * 1024,
    body: jsonContent(forgotten, { aProcess: { log: 'local', user: 'host-1:/data' } }),
    answers: { 204: { description: 'Nobody waits for it any more' } },
    problems: ['NOT_FOUND', 'BODY_TOO_DEEP'],
  },
} satisfies Operations
