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
  // What a start needs is not the right to read about the agent; but it needs a token that there is.
  if (self.status === 403 && /ACL not found|does not exist/.test(self.text))
    return fail('it does not know the token', 'set CONSUL_TOKEN to one with service:write, service:read and node:read')
  if (![200, 403].includes(self.status))
    return fail(`it answers ${self.status}`, 'CONSUL_URL leads to something else than an agent of Consul')
  const version = self.status === 200 ? versionOf(self.text) : 'not told without agent:read'
  const found = `version ${version}, round trip ${ms(took)}`
  if (leader.text.replaceAll('"', '').trim() === '')
    return warn(`${found}, no leader`, 'nothing can be registered until Consul has one')
  return ok(found)
}

function versionOf(text: string): string {
  const { Config: about } = JSON.parse(text) as { Config?: { Version?: string } }
  return about?.Version ?? 'not told'
}
