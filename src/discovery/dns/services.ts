import type { SrvRecord } from 'node:dns'
import { type Host, originAt, type Scheme } from '../host.ts'
import { maxOrigins, type Share } from '../shares.ts'
import { addressesOf, type NameSource, noneIfAbsent, unknownTtl } from './names.ts'

export interface Found {
  readonly shares: readonly Share[]
  /** For how long the answer is good, s; infinite when that is not known. */
  readonly ttl: number
}

/**
 * Where a host of a link is: by the SRV records of a name that begins with `_`, else by its addresses.
 * @throws the error of node:dns when nobody can be asked
 */
export async function find(host: Host, source: NameSource): Promise<Found> {
  const { name, port, scheme } = host
  if (name.startsWith('_')) return named(await findService(host, source), name.replace(/^(_[^.]*\.)+/, ''))
  const { addresses, ttl } = await addressesOf(name, source)
  return named(
    { shares: addresses.map((address) => ({ origin: originAt(address, port, scheme), weight: 1 })), ttl },
    name,
  )
}

/** Certificates are for what the link names: what DNS answered is not proven (RFC 9525, 6.1). */
const named = ({ shares, ttl }: Found, name: string): Found => ({
  shares: shares.map((share) => ({ ...share, name: name.replace(/\.$/, '') })),
  ttl,
})

/** RFC 2782: the records of the lowest priority that lead anywhere; the others are for when these are gone. */
async function findService({ name, scheme }: Host, source: NameSource): Promise<Found> {
  const records = await source.servers.resolveSrv(name).catch(noneIfAbsent)
  const byPriority = Map.groupBy(records.slice(0, maxOrigins), (record) => record.priority)
  for (const priority of [...byPriority.keys()].sort((a, b) => a - b)) {
    const found = await Promise.all(byPriority.get(priority)!.map((record) => findTarget(record, scheme, source)))
    const shares = found.flatMap((one) => one.shares)
    if (shares.length > 0) return { shares, ttl: Math.min(...found.map((one) => one.ttl)) }
  }
  return { shares: [], ttl: unknownTtl }
}

async function findTarget({ name, port, weight }: SrvRecord, scheme: Scheme, source: NameSource): Promise<Found> {
  if (name === '' || name === '.' || port === 0) return { shares: [], ttl: unknownTtl } // "not offered here"
  const { addresses, ttl } = await addressesOf(name, source)
  // The weight belongs to the target: several addresses of it share it.
  return {
    shares: addresses.map((address) => ({
      origin: originAt(address, port, scheme),
      weight: weight / addresses.length,
    })),
    ttl,
  }
}
