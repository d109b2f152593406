import { AppError, type Call, type Route, type RouteResponse, routesOf } from '@splitstream/kernel'
import { parseBody } from '../parse-body.ts'
import { change, keyOperations, newKey, rotation } from './key-operations.ts'
import type { KeyStore, Managed } from './key-store.ts'

/**
 * Keys over HTTP. An admin manages the keys of its tenant; the operator, who has the key of the first start, manages those
 * of all tenants. What is not yours is not found.
 */
export function keyRoutes(keys: KeyStore, isOperator: (call: Call) => boolean): Route[] {
  const managedBy = (call: Call): Managed => (isOperator(call) ? 'all' : { tenant: call.tenant })
  return routesOf(keyOperations, {
    createKey: async ({ body }, call) => {
      const input = parseBody(newKey, body)
      const owner = input.tenant ?? call.tenant
      if (owner !== call.tenant && !isOperator(call))
        throw new AppError('FORBIDDEN', 'Only the operator makes keys for other tenants')
      return secret(201, await keys.create({ ...input, tenant: owner }, managedBy(call)))
    },
    listKeys: async (_, call) => secret(200, { keys: await keys.list(managedBy(call)) }),
    rotateKey: async ({ params, body }, call) => {
      const { graceSeconds } = parseBody(rotation, body)
      const rotated = await keys.rotate(params.id, managedBy(call), graceSeconds)
      if (!rotated) throw noSuchKey()
      return secret(200, rotated)
    },
    changeKey: async ({ params, body }, call) => {
      const input = parseBody(change, body)
      const changed = await keys.setQuota(params.id, managedBy(call), input.quota)
      if (!changed) throw noSuchKey()
      return secret(200, changed)
    },
    revokeKey: async ({ params }, call) => {
      if (!(await keys.revoke(params.id, managedBy(call)))) throw noSuchKey()
      return { status: 204 }
    },
  })
}

const noSuchKey = (): AppError => new AppError('NOT_FOUND', 'There is no such key')

/** Never to be kept by anything in between. */
const secret = (status: number, json: unknown): RouteResponse => ({
  status,
  headers: { 'cache-control': 'no-store' },
  json,
})
