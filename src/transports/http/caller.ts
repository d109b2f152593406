import type { ConnectionPool } from './pool.ts'
import { authorizationOf } from './secret.ts'

/** How a process calls others: over which connections, and what it shows on them. */
export interface Caller {
  readonly pool: ConnectionPool
  /** The one of the server, see PortServerOptions. */
  readonly secret?: string | undefined
}

export const authorizationHeader = ({ secret }: Caller): { readonly authorization?: string } =>
  secret === undefined ? {} : { authorization: authorizationOf(secret) }
