import type { LookupAddress } from 'node:dns'
import { type Resolver as DnsResolver, lookup as systemLookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** What is asked: name servers, and the system's own way (hosts file, search domains, mDNS). */
export interface NameSource {
  readonly servers: Pick<DnsResolver, 'resolve4' | 'resolve6' | 'resolveSrv'>
  lookup(name: string): Promise<readonly LookupAddress[]>
}

export const systemNames = (name: string): Promise<readonly LookupAddress[]> => systemLookup(name, { all: true })

export interface Addresses {
  readonly addresses: readonly string[]
  /** For how long the answer is good, s; infinite when that is not known. */
  readonly ttl: number
}

/** Never asked of a name server (RFC 6761). */
const loopback = /^(.+\.)?localhost\.?$/i

/** For an answer that does not say how long it is good. */
export const unknownTtl = Number.POSITIVE_INFINITY

/**
 * The IPv4 addresses of a name, or its IPv6 addresses when it has no IPv4: a host that has both would count as two.
 * A name that the name servers do not know is looked for where the system does: in the hosts file and with the search
 * domains. No address: there is no such name. @throws the error of node:dns when nobody can be asked
 */
export async function addressesOf(name: string, source: NameSource): Promise<Addresses> {
  if (isIP(name) !== 0) return { addresses: [name], ttl: unknownTtl }
  if (loopback.test(name)) return { addresses: await fromSystem(name, source), ttl: unknownTtl }
  let noServer: unknown
  try {
    const found = await fromServers(name, source)
    if (found.addresses.length > 0) return found
  } catch (error) {
    if (codeOf(error) !== 'ECONNREFUSED') throw error
    noServer = error // none runs here, and the hosts file may know the name all the same
  }
  const addresses = await fromSystem(name, source)
  if (addresses.length === 0 && noServer !== undefined) throw noServer
  return { addresses, ttl: unknownTtl }
}

async function fromServers(name: string, { servers }: NameSource): Promise<Addresses> {
  const four = await servers.resolve4(name, { ttl: true }).catch(noneIfAbsent)
  const records = four.length > 0 ? four : await servers.resolve6(name, { ttl: true }).catch(noneIfAbsent)
  return {
    addresses: records.map((record) => record.address),
    ttl: Math.min(...records.map((record) => record.ttl)),
  }
}

async function fromSystem(name: string, source: NameSource): Promise<string[]> {
  const found = await source.lookup(name).catch(noneIfAbsent)
  const family = found.some((one) => one.family === 4) ? 4 : 6
  return found.filter((one) => one.family === family).map((one) => one.address)
}

/** These say that there is no such name or record. Every other error says nothing about the name. */
const absent: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA'])

export function noneIfAbsent(error: unknown): [] {
  if (absent.has(codeOf(error))) return []
  throw error
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
