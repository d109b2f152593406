import { AppError, type Route } from '@splitstream/kernel'
import { z } from 'zod'
import { parseBody } from './edge/parse-body.ts'
import type { LogTurns } from './log-turns.ts'

const forgotten = z.strictObject({
  log: z.enum(['local', 'kafka']),
  /** As in the list; without one the whole log is given up. */
  user: z.string().min(1).max(1_000).optional(),
})

/** Which event logs are used by whom, and the way out when a process that one waits for will never come back. */
export function logRoutes(turns: LogTurns): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/event-logs',
      scope: 'admin',
      operator: true,
      summary: 'Event logs, whose turn it is, and the processes that use them',
      handle: async () => ({ status: 200, json: await turns.list() }),
    },
    {
      method: 'POST',
      path: '/v1/event-logs/forget',
      scope: 'admin',
      operator: true,
      summary: 'Wait no more for a process, or for a whole log, whose events are lost or elsewhere',
      accepts: ['application/json'],
      maxBodyBytes: 16 * 1024,
      handle: async ({ body }) => {
        const { log, user } = parseBody(forgotten, body)
        if (user === undefined) await turns.giveUp(log)
        else if (!(await turns.forgetUser(log, user)))
          throw new AppError('NOT_FOUND', `The ${log} log has no user of that name`)
        return { status: 204 }
      },
    },
  ]
}
