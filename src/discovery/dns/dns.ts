import { Resolver as DnsResolver } from 'node:dns/promises'
import { type Clock, type Logger, messageOf } from '@splitstream/kernel'
import type { Discovery } from '../discovery.ts'
import type { Host } from '../host.ts'
import { KnownInstances } from '../known-instances.ts'
import { discoveryOf, Rounds } from '../rounds.ts'
import type { Share } from '../shares.ts'
import { codeOf, type NameSource, systemNames } from './names.ts'
import { find } from './services.ts'

export interface DnsOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Made again after a failure, because the system's name servers may have changed. Default: those of the system. */
  readonly openSource?: () => NameSource
}

/** Between two questions, ms: 5 s or the TTL when that is shorter, but 1 s at least; 1 s after a failure. */
const [mostMs, leastMs] = [5_000, 1_000]

/**
 * Instances by DNS: all addresses of a name, with the port of the link, or the SRV records of a name that begins with `_`,
 * with their ports and weights. A name whose servers do not answer keeps what they said last.
 */
export function dnsDiscovery(hosts: readonly Host[], { clock, logger, openSource = ofSystem }: DnsOptions): Discovery {
  const known = new KnownInstances(`DNS for ${hosts.map((host) => host.name).join(',')}`, logger)
  const last = new Map<Host, readonly Share[]>()
  let source = openSource()

  const rounds = new Rounds(clock, async (signal) => {
    const answers = await Promise.allSettled(hosts.map((host) => find(host, source)))
    if (signal.aborted) return mostMs
    const troubles: string[] = []
    let waitMs = mostMs
    for (const [i, answer] of answers.entries()) {
      const host = hosts[i]!
      if (answer.status === 'fulfilled') {
        last.set(host, answer.value.shares)
        waitMs = Math.min(waitMs, Math.max(leastMs, answer.value.ttl * 1_000))
      } else {
        troubles.push(`${host.name} was not resolved (${codeOf(answer.reason) ?? messageOf(answer.reason)})`)
      }
    }
    const shares = hosts.flatMap((host) => last.get(host) ?? [])
    if (troubles.length === 0) {
      known.answered(shares)
      return waitMs
    }
    known.failed(troubles.join(', '), shares)
    source = openSource()
    return leastMs
  })

  return discoveryOf(known, rounds)
}

/** Two tries of 1 s each: a server that swallows packets is known before a caller's patience ends. */
function ofSystem(): NameSource {
  return { servers: new DnsResolver({ timeout: 1_000, tries: 2 }), lookup: systemNames }
}
