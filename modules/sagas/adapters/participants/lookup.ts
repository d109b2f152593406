import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'

/** All addresses of a host. @throws when there are none */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>

export const systemLookup: Lookup = (host) => lookup(host, { all: true })

/**
 * Who asks for a host that is being asked for shares the answer: a burst of connections must not fill the few threads that
 * wait for the resolver. Nothing is kept for longer.
 */
export function shareLookups(ask: Lookup): Lookup {
  const asked = new Map<string, Promise<readonly LookupAddress[]>>()
  return (host) => {
    let answer = asked.get(host)
    if (!answer) {
      answer = ask(host).finally(() => asked.delete(host))
      asked.set(host, answer)
    }
    return answer
  }
}
