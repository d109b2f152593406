import { AppError, type Route, routesOf } from '@splitstream/kernel'
import { parseBody } from './edge/parse-body.ts'
import { forgotten, logOperations } from './log-operations.ts'
import type { LogTurns } from './log-turns.ts'

/** Which event logs are used by whom, and the way out when a process that one waits for will never come back. */
export function logRoutes(turns: LogTurns): Route[] {
  return routesOf(logOperations, {
    listEventLogs: async () => ({ status: 200, json: await turns.list() }),
    forgetEventLog: async ({ body }) => {
      const { log, user } = parseBody(forgotten, body)
      if (user === undefined) await turns.giveUp(log)
      else if (!(await turns.forgetUser(log, user)))
        throw new AppError('NOT_FOUND', `The ${log} log has no user of that name`)
      return { status: 204 }
    },
  })
}
