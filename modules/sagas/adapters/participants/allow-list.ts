import { BlockList, isIP } from 'node:net'
import { AppError } from '@splitstream/kernel'
import { isListed } from './addresses.ts'

/** Hosts and addresses that calls may go to although they are not on the internet, or without TLS. */
export interface AllowList {
  hasName(host: string, port: number): boolean
  hasAddress(address: string, port: number): boolean
}

const forms =
  'an address (127.0.0.1, [::1]), a range (10.0.0.0/8, [fd00::/8]), a name (payments.internal) or the names below one ' +
  '(*.svc.cluster.local), each with :port or without'

/** No port: all of them. */
const anyPort = 0

/** @throws AppError CONFIG_INVALID that names the setting, the entry and what is legal */
export function parseAllowList(entries: readonly string[]): AllowList {
  const names = new Set<string>()
  const addresses = new Map<number, BlockList>()
  for (const entry of entries) {
    const { host, bits, port } = split(entry)
    if (isIP(host) === 0) names.add(`${nameOf(host, entry)}:${port}`)
    else addTo(getOrAdd(addresses, port), host, bits, entry)
  }
  const listed = (name: string, port: number) => names.has(`${name}:${port}`) || names.has(`${name}:${anyPort}`)
  return {
    hasName: (host, port) => {
      const name = host.replace(/\.$/, '')
      if (listed(name, port)) return true
      for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
        if (listed(`*${name.slice(dot)}`, port)) return true
      }
      return false
    },
    hasAddress: (address, port) =>
      [port, anyPort].some((key) => {
        const list = addresses.get(key)
        return list !== undefined && isListed(list, address)
      }),
  }
}

const bracketed = /^\[(?<host>[0-9a-f:.]+)(\/(?<bits>\d{1,3}))?\](:(?<port>\d{1,5}))?$/i
const bare6 = /^(?<host>[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*)(\/(?<bits>\d{1,3}))?$/i
const other = /^(?<host>[^\s:/[\]@?#\\]+)(\/(?<bits>\d{1,3}))?(:(?<port>\d{1,5}))?$/

function split(entry: string) {
  const { host, bits, port } = (bracketed.exec(entry) ?? bare6.exec(entry) ?? other.exec(entry))?.groups ?? {}
  if (host === undefined || (bits !== undefined && isIP(host) === 0)) throw wrong(entry)
  const number = port === undefined ? anyPort : Number(port)
  if (port !== undefined && (number < 1 || number > 65_535)) throw wrong(entry)
  return { host, bits, port: number }
}

function addTo(list: BlockList, address: string, bits: string | undefined, entry: string): void {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  try {
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  } catch {
    throw wrong(entry)
  }
}

/** As a URL has it; `*.` is kept. What a URL would take for an address is not a name. */
function nameOf(host: string, entry: string): string {
  const star = host.startsWith('*.') ? '*.' : ''
  const name = host.slice(star.length).replace(/\.$/, '')
  const normal = URL.parse(`http://${name}`)?.hostname ?? ''
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(normal) || isIP(normal) !== 0) throw wrong(entry)
  return star + normal
}

function getOrAdd(lists: Map<number, BlockList>, port: number): BlockList {
  let list = lists.get(port)
  if (!list) {
    list = new BlockList()
    lists.set(port, list)
  }
  return list
}

const wrong = (entry: string): AppError =>
  new AppError('CONFIG_INVALID', `SAGA_ALLOW_PRIVATE: found ${JSON.stringify(entry)}; legal is ${forms}`)
