import { AppError } from '@splitstream/kernel'
import type { Discovery } from './discovery.ts'
import type { Instance } from './resolver.ts'

/** Instances at fixed addresses. @throws AppError CONFIG_INVALID for an address that is not http(s)://host:port */
export function staticResolver(addresses: readonly string[]): Discovery {
  const instances: readonly Instance[] = addresses.map((address) => ({ origin: originOf(address) }))
  return {
    current: () => instances,
    report() {},
    start: async () => {},
    stop: async () => {},
    health: () => ({ state: 'ok' }),
  }
}

function originOf(address: string): string {
  const url = URL.parse(address)
  if (
    !url ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username !== ''
  ) {
    throw new AppError(
      'CONFIG_INVALID',
      `${address} is not an address of the form http://host:port or https://host:port`,
    )
  }
  return url.origin
}
