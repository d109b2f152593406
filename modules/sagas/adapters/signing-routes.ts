import { checked, type Logger, type Route, type RouteResponse, routesOf } from '@splitstream/kernel'
import { parseJson } from './parse-json.ts'
import { change, signingOperations } from './signing-operations.ts'
import type { SigningSecret, SigningSecrets } from './signing-secrets.ts'

/** Who may publish sagas may know it: any request can be had signed by a saga that sends it. */
export function signingRoutes(secrets: SigningSecrets, logger: Logger): Route[] {
  return routesOf(signingOperations, {
    getSigningSecret: async (_, { tenant }) => answer(await secrets.show(tenant)),
    changeSigningSecret: async ({ body }, { tenant, principal }) => {
      const { graceSeconds } = checked(change, body.length === 0 ? {} : parseJson(body), '$')
      const changed = await secrets.change(tenant, graceSeconds * 1_000)
      logger.info('the secret of signatures was changed', { tenant, by: principal, graceSeconds })
      return answer(changed)
    },
  })
}

const answer = ({ secret, previous }: SigningSecret): RouteResponse => ({
  status: 200,
  // Never to be kept by anything in between.
  headers: { 'cache-control': 'no-store' },
  json: {
    secret: textOf(secret),
    ...(previous && { previous: { secret: textOf(previous.secret), until: previous.until.toISOString() } }),
  },
})

const textOf = (secret: Uint8Array): string => `whsec_${Buffer.from(secret).toString('base64')}`
