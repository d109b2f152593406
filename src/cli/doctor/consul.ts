import { messageOf } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { ConsulAgent } from '../../discovery/consul/agent.ts'
import { type Check, checkMs, type Finding, fail, ok, warn } from './check.ts'
import { ms } from './units.ts'

export function consulChecks({ CONSUL_URL: url, CONSUL_TOKEN: token }: Config): Check[] {
  return url === undefined
    ? []
    : [
        {
          name: 'Consul',
          run: (signal) => checkConsul(new ConsulAgent({ url, ...(token !== undefined && { token }) }), signal),
        },
      ]
}

async function checkConsul(agent: ConsulAgent, signal: AbortSignal): Promise<Finding> {
  const ask = (path: string) => agent.send({ path, timeoutMs: checkMs - 1_000, signal })
  const from = performance.now()
  const leader = await ask('/v1/status/leader').catch((error: unknown) => messageOf(error))
  if (typeof leader === 'string') return fail(leader, 'no agent answers at CONSUL_URL')
  const took = performance.now() - from
  const self = await ask('/v1/agent/self')
  if (self.status === 403)
    return fail('it refuses the token', 'set CONSUL_TOKEN to one with agent:read and service:write')
  if (self.status !== 200)
    return fail(`it answers ${self.status}`, 'CONSUL_URL leads to something else than an agent of Consul')
  const { Config: about } = JSON.parse(self.text) as { Config?: { Version?: string } }
  const found = `version ${about?.Version ?? 'not told'}, round trip ${ms(took)}`
  if (leader.text.replaceAll('"', '').trim() === '')
    return warn(`${found}, no leader`, 'nothing can be registered until Consul has one')
  return ok(found)
}
