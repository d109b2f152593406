import { type Clock, type Logger, messageOf, type Random } from '@splitstream/kernel'
import type { Discovery } from '../discovery.ts'
import type { Scheme } from '../host.ts'
import { KnownInstances } from '../known-instances.ts'
import { discoveryOf, Rounds } from '../rounds.ts'
import { type ConsulAccess, ConsulAgent, refusal } from './agent.ts'
import { answerTimeoutMs, nextIndex, QueryPace, retryMs, waitSeconds } from './blocking.ts'
import { readEntries } from './entries.ts'

export interface ConsulOptions {
  readonly access: ConsulAccess
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Of the origins; default http. */
  readonly scheme?: Scheme
}

/** The healthy instances of a service, watched. What Consul said last holds while it is away or answers with an error. */
export function consulDiscovery(service: string, o: ConsulOptions): Discovery {
  const { access, clock, random, logger, scheme = 'http' } = o
  const known = new KnownInstances(`Consul for ${service}`, logger)
  const agent = new ConsulAgent(access)
  const pace = new QueryPace()
  const path = `/v1/health/service/${encodeURIComponent(service)}`
  let index = 0
  let failures = 0

  const rounds = new Rounds(clock, async (signal) => {
    try {
      const query: Record<string, string> = { passing: 'true' }
      if (index > 0) Object.assign(query, { index: String(index), wait: `${waitSeconds}s` })
      const { status, headers, text } = await agent.send({ path, query, timeoutMs: answerTimeoutMs, signal })
      if (status !== 200) throw refusal(status)
      // A certificate is for the service: nobody proves the addresses that Consul tells.
      const shares = readEntries(text, scheme).map((share) => ({ ...share, name: service }))
      // A token that may not see the service gets an empty list, as if there were no instance.
      if (shares.length === 0 && headers.get('x-consul-results-filtered-by-acls') === 'true') {
        throw new Error('the token does not allow to read the service and its nodes')
      }
      if (signal.aborted) return 0
      known.answered(shares)
      index = nextIndex(index, headers.get('x-consul-index'))
      failures = 0
      return pace.next(clock.monotonic())
    } catch (error) {
      if (signal.aborted) return 0
      known.failed(messageOf(error))
      index = 0 // a Consul that has begun anew counts from the start, and would let us wait for the old number
      failures++
      return retryMs(failures, random.fraction())
    }
  })

  return discoveryOf(known, rounds)
}
