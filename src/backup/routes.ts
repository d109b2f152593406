import { type Route, routesOf } from '@splitstream/kernel'
import { parseBody } from '../edge/parse-body.ts'
import type { Backups } from './backups.ts'
import { backupOperations, newBackup } from './operations.ts'

/** Backups over HTTP, for the operator. They are removed where they lie: a stolen key must not be able to. */
export function backupRoutes(backups: Backups): Route[] {
  return routesOf(backupOperations, {
    beginBackup: async ({ body }) => ({ status: 202, json: await backups.begin(parseBody(newBackup, body).name) }),
    listBackups: async () => ({ status: 200, json: { backups: await backups.list() } }),
    getBackup: async ({ params }) => ({ status: 200, json: await backups.get(params.name) }),
    cancelBackup: async ({ params }) => {
      await backups.cancel(params.name)
      return { status: 204 }
    },
  })
}
