import type { Route } from '@splitstream/kernel'
import { z } from 'zod'
import { parseBody } from '../edge/parse-body.ts'
import type { Backups } from './backups.ts'

const request = z.strictObject({ name: z.string() })

/** Backups over HTTP, for the operator. They are removed where they lie: a stolen key must not be able to. */
export function backupRoutes(backups: Backups): Route[] {
  const common = { scope: 'admin', operator: true } as const
  return [
    {
      ...common,
      method: 'POST',
      path: '/v1/backups',
      summary: 'Begin a backup of the whole installation, below BACKUP_DIR',
      accepts: ['application/json'],
      maxBodyBytes: 16 * 1024,
      handle: async ({ body }) => ({ status: 202, json: await backups.begin(parseBody(request, body).name) }),
    },
    {
      ...common,
      method: 'GET',
      path: '/v1/backups',
      summary: 'Backups, newest first, with the one that is running',
      handle: async () => ({ status: 200, json: { backups: await backups.list() } }),
    },
    {
      ...common,
      method: 'GET',
      path: '/v1/backups/:name',
      summary: 'One backup, and how far it is',
      handle: async ({ params }) => ({ status: 200, json: await backups.get(params.name ?? '') }),
    },
    {
      ...common,
      method: 'POST',
      path: '/v1/backups/:name/cancel',
      summary: 'Stop a backup that is running; nothing of it is left',
      handle: async ({ params }) => {
        await backups.cancel(params.name ?? '')
        return { status: 204 }
      },
    },
  ]
}
