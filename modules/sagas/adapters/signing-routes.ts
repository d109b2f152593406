import { type Route, routesOf } from '@splitstream/kernel'
import { signingOperations } from './signing-operations.ts'

/** Who may publish sagas may know it: any request can be had signed by a saga that sends it. */
export function signingRoutes(secretOf: (tenant: string) => Uint8Array): Route[] {
  return routesOf(signingOperations, {
    getSigningSecret: async (_, { tenant }) => ({
      status: 200,
      // Never to be kept by anything in between.
      headers: { 'cache-control': 'no-store' },
      json: { secret: `whsec_${Buffer.from(secretOf(tenant)).toString('base64')}` },
    }),
  })
}
