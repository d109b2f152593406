/** How a Redis node is named in the configuration. */
export const redisUrlForm = 'redis://user:password@host:port/db, or rediss:// with TLS'

/**
 * Nodes between commas; undefined when one has another form, or their number cannot give a majority that means something:
 * 1, 3 or 5, each on its own host and port. Parameters after `?` are refused: the client would take them for options of its
 * own, and so lift the driver's bounds.
 */
export function parseRedisUrls(text: string): readonly string[] | undefined {
  const urls = text.split(',').map((url) => url.trim())
  const hosts = urls.map(hostOf)
  return [1, 3, 5].includes(urls.length) && new Set(hosts).size === urls.length && !hosts.includes(undefined)
    ? urls
    : undefined
}

/** host:port of a URL that parseRedisUrls takes: what may be shown of it. */
export function hostOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hostname, port, pathname, search, hash } = new URL(text)
  const legal =
    /^rediss?:$/.test(protocol) && hostname !== '' && /^(\/\d{0,5})?$/.test(pathname) && search === '' && hash === ''
  return legal ? `${hostname}:${port || 6379}` : undefined
}
