/** Where ClickHouse is: one server, or the replicas of a cluster, all reached with one name and password. */
export interface ClickHouseServers {
  /** Scheme, host and port of each, such as http://clickhouse-1:8123; at least one, none twice. */
  readonly origins: readonly string[]
  readonly username: string
  readonly password: string
  readonly database: string
}

export const clickhouseUrlForm =
  'http(s)://user:password@host:8123/database; the replicas of a cluster stand between commas, user:password@a:8123,b:8123,c:8123 or as whole URLs'

const defaultDatabase = 'splitstream'

/**
 * Reads CLICKHOUSE_URL. Several hosts stand between commas after one name and password, or as whole URLs that have the same
 * scheme, name, password and database. A comma in a name or password is written %2C. Undefined for anything else.
 */
export function parseClickHouseUrls(text: string): ClickHouseServers | undefined {
  const parts = text.split(',').map((part) => part.trim())
  const [first = ''] = parts
  const whole = parts.every((part) => /^https?:\/\//.test(part)) ? parts : expand(first, parts.slice(1))
  const servers = whole?.map(parseOne)
  const [one] = servers ?? []
  if (!one || !servers?.every((server) => server !== undefined && sameAccess(server, one))) return undefined
  const origins = servers.map((server) => server!.origins[0]!)
  return new Set(origins).size === origins.length ? { ...one, origins } : undefined
}

/** `http://user:password@a:8123,b:8123/database` as whole URLs; the path stands after the last host. */
function expand(first: string, more: readonly string[]): string[] | undefined {
  const head = /^(https?:\/\/(?:[^@/?#]*@)?)([^@/?#]+)$/.exec(first)
  const tail = /^([^@/?#:]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)(\/[^?#]*)?$/.exec(more.at(-1) ?? '')
  if (!head || !tail) return undefined
  const [, access = '', firstHost = ''] = head
  const [, lastHost = '', path = ''] = tail
  return [firstHost, ...more.slice(0, -1), lastHost].map((host) => `${access}${host}${path}`)
}

function parseOne(text: string): ClickHouseServers | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host, username, password, pathname, search, hash } = new URL(text)
  if (!/^https?:$/.test(protocol) || host === '' || search !== '' || hash !== '') return undefined
  const path = decoded(pathname.slice(1))
  const [user, secret] = [decoded(username), decoded(password)]
  if (path === undefined || user === undefined || secret === undefined || path.includes('/')) return undefined
  return {
    origins: [`${protocol}//${host}`],
    username: user || 'default',
    password: secret,
    database: path || defaultDatabase,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function sameAccess(a: ClickHouseServers, b: ClickHouseServers): boolean {
  const scheme = (one: ClickHouseServers): string => one.origins[0]!.split(':')[0]!
  return scheme(a) === scheme(b) && a.username === b.username && a.password === b.password && a.database === b.database
}
