import type { Call } from './call.ts'

/** What a module offers over public HTTP, as data; src/edge mounts it. Modules know no web framework. */
export type Scope = 'ingest' | 'query' | 'sagas' | 'admin'
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface RouteRequest {
  /** Path parameters, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** Declared query parameters that were given (lists: see `Route.query`). */
  readonly query: Readonly<Record<string, string>>
  /** Lower-case names. Those whose repetition would be ambiguous, `ce-` among them, come once. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The media type without parameters, lower case; '' when there is no body. */
  readonly mediaType: string
  /** The body, decompressed, within the limits; empty when the route takes none. It is good until the handler has answered, not longer. */
  readonly body: Uint8Array
  /** Asked with the operator's key. */
  readonly operator?: boolean
  /** Aborted when the process is asked to stop: an answer that goes on for long ends itself then. */
  readonly stopping?: AbortSignal
}

export interface RouteResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** JSON value; or bytes with a content-type header; or a stream of bytes. */
  readonly json?: unknown
  readonly bytes?: Uint8Array | AsyncIterable<Uint8Array>
}

export interface Route {
  readonly method: Method
  /** Express 5 path, such as /v1/dead-letters/:id */
  readonly path: string
  /** The scope that the key needs; 'public' needs no key. */
  readonly scope: Scope | 'public'
  /** Only for the operator's key: it touches what belongs to all tenants. */
  readonly operator?: boolean
  readonly summary: string
  /** Names of the query parameters that the route knows; any other is refused, and so is a repeated one. */
  readonly query?: readonly string[]
  /** Media types that the route takes; absent: the route takes no body. */
  readonly accepts?: readonly string[]
  /** With `accepts`: a request without a body is fine, and has media type ''. */
  readonly bodyOptional?: boolean
  /** Media types that it answers with; default application/json. */
  readonly produces?: readonly string[]
  /** Body limit, bytes after decompression; default: the edge's. */
  readonly maxBodyBytes?: number
  /** Time budget, ms; default: the edge's. */
  readonly budgetMs?: number
  /** Dispatched before express, for the paths where every microsecond counts. Only the last part of the path may be a parameter. */
  readonly hot?: boolean
  handle(request: RouteRequest, call: Call): Promise<RouteResponse>
}
