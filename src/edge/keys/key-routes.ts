import { AppError, type Call, type Route, type RouteResponse } from '@splitstream/kernel'
import { z } from 'zod'
import { parseBody } from '../parse-body.ts'
import type { KeyStore, Managed } from './key-store.ts'

/** `system` is what the process itself calls itself. */
const tenant = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _; at most 63')
  .refine((name) => name !== 'system', 'system is taken')
/** null: that of the settings. {}: none. */
const quota = z
  .strictObject({
    requestsPerSecond: z.number().int().min(1).max(1e9).optional(),
    bytesPerSecond: z.number().int().min(1).max(1e12).optional(),
  })
  .nullable()
const newKey = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{C}]*$/u, 'control characters have no place here'),
  tenant: tenant.optional(),
  scopes: z
    .array(z.enum(['ingest', 'query', 'sagas', 'admin']))
    .min(1)
    .max(4)
    .transform((scopes) => [...new Set(scopes)]),
  expiresAt: z.iso
    .datetime({ offset: true })
    .refine((text) => Number.isFinite(Date.parse(text)), 'is no instant')
    .nullable()
    .default(null),
  quota: quota.default(null),
})
const change = z.strictObject({ quota })
const rotation = z.strictObject({ graceSeconds: z.number().int().min(0).max(2_592_000).default(86_400) })

/**
 * Keys over HTTP. An admin manages the keys of its tenant; the operator, who has the key of the first start, manages those
 * of all tenants. What is not yours is not found.
 */
export function keyRoutes(keys: KeyStore, isOperator: (call: Call) => boolean): Route[] {
  const managedBy = (call: Call): Managed => (isOperator(call) ? 'all' : { tenant: call.tenant })
  return [
    {
      method: 'POST',
      path: '/v1/keys',
      scope: 'admin',
      summary: 'Make an API key; the answer is the only place where it is shown',
      accepts: ['application/json'],
      maxBodyBytes,
      handle: async ({ body }, call) => {
        const input = parseBody(newKey, body)
        const owner = input.tenant ?? call.tenant
        if (owner !== call.tenant && !isOperator(call))
          throw new AppError('FORBIDDEN', 'Only the operator makes keys for other tenants')
        return secret(201, await keys.create({ ...input, tenant: owner }))
      },
    },
    {
      method: 'GET',
      path: '/v1/keys',
      scope: 'admin',
      summary: 'List API keys, newest first, without their secrets',
      handle: async (_, call) => secret(200, { keys: await keys.list(managedBy(call)) }),
    },
    {
      method: 'POST',
      path: '/v1/keys/:id/rotate',
      scope: 'admin',
      summary: 'Give a key a new secret; the old one goes on for a grace period',
      accepts: ['application/json'],
      maxBodyBytes,
      handle: async ({ params, body }, call) => {
        const { graceSeconds } = parseBody(rotation, body)
        const rotated = await keys.rotate(idOf(params), managedBy(call), graceSeconds)
        if (!rotated) throw noSuchKey()
        return secret(200, rotated)
      },
    },
    {
      method: 'PATCH',
      path: '/v1/keys/:id',
      scope: 'admin',
      summary: 'Change the quota of a key',
      accepts: ['application/json'],
      maxBodyBytes,
      handle: async ({ params, body }, call) => {
        const input = parseBody(change, body)
        const changed = await keys.setQuota(idOf(params), managedBy(call), input.quota)
        if (!changed) throw noSuchKey()
        return secret(200, changed)
      },
    },
    {
      method: 'DELETE',
      path: '/v1/keys/:id',
      scope: 'admin',
      summary: 'Revoke a key',
      handle: async ({ params }, call) => {
        if (!(await keys.revoke(idOf(params), managedBy(call)))) throw noSuchKey()
        return { status: 204 }
      },
    },
  ]
}

const maxBodyBytes = 16 * 1024

const noSuchKey = (): AppError => new AppError('NOT_FOUND', 'There is no such key')

/** @throws AppError REQUEST_INVALID for what cannot be the id of a key */
function idOf(params: Readonly<Record<string, string>>): string {
  const id = params.id ?? ''
  if (!/^[0-9A-Za-z]{1,64}$/.test(id)) throw new AppError('REQUEST_INVALID', 'The id of a key is letters and digits')
  return id
}

/** Never to be kept by anything in between. */
const secret = (status: number, json: unknown): RouteResponse => ({
  status,
  headers: { 'cache-control': 'no-store' },
  json,
})
