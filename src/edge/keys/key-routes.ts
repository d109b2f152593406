import { AppError, type Call, type Route } from '@splitstream/kernel'
import { z } from 'zod'
import { parseBody } from '../parse-body.ts'
import type { KeyStore } from './key-store.ts'

const name = z.string().min(1).max(200)
const newKey = z.strictObject({
  name,
  tenant: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _; at most 63')
    .optional(),
  scopes: z.array(z.enum(['ingest', 'query', 'sagas', 'admin'])).min(1),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
})
const rotation = z.strictObject({ graceSeconds: z.number().int().min(0).max(2_592_000).default(86_400) })

/** Keys over HTTP. An admin manages the keys of its tenant, the operator those of all; what is not yours is not found. */
export function keyRoutes(keys: KeyStore, isOperator: (call: Call) => boolean): Route[] {
  const own = (call: Call): string | undefined => (isOperator(call) ? undefined : call.tenant)
  return [
    {
      method: 'POST',
      path: '/v1/keys',
      scope: 'admin',
      summary: 'Make an API key; the answer is the only place where it is shown',
      accepts: ['application/json'],
      handle: async ({ body }, call) => {
        const input = parseBody(newKey, body)
        const tenant = input.tenant ?? call.tenant
        if (tenant !== call.tenant && !isOperator(call))
          throw new AppError('FORBIDDEN', 'Only the operator makes keys for other tenants')
        return { status: 201, json: await keys.create({ ...input, tenant }) }
      },
    },
    {
      method: 'GET',
      path: '/v1/keys',
      scope: 'admin',
      summary: 'List API keys, without their secrets',
      handle: async (_, call) => ({ status: 200, json: { keys: await keys.list(own(call)) } }),
    },
    {
      method: 'POST',
      path: '/v1/keys/:id/rotate',
      scope: 'admin',
      summary: 'Give a key a new secret; the old one goes on for a grace period',
      accepts: ['application/json'],
      handle: async ({ params, body }, call) => {
        const { graceSeconds } = parseBody(rotation, body)
        const rotated = await keys.rotate(params.id ?? '', own(call), graceSeconds)
        if (!rotated) throw new AppError('NOT_FOUND', 'There is no such key')
        return { status: 200, json: rotated }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/keys/:id',
      scope: 'admin',
      summary: 'Revoke a key',
      handle: async ({ params }, call) => {
        if (!(await keys.revoke(params.id ?? '', own(call)))) throw new AppError('NOT_FOUND', 'There is no such key')
        return { status: 204 }
      },
    },
  ]
}
