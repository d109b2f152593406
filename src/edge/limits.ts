/** What one client may take. Nothing at the edge waits or grows without one of these. */
export interface EdgeLimits {
  /** Request body after decompression, bytes. A route may set its own. */
  readonly maxBodyBytes: number
  /** Request body as it is sent, when it is compressed, bytes. */
  readonly maxCompressedBytes: number
  /** For the request line and the headers to arrive, ms. */
  readonly headersTimeoutMs: number
  /** For the whole body to arrive, ms. */
  readonly bodyTimeoutMs: number
  /** Default time budget of a request, from the moment that its body is there, ms. */
  readonly budgetMs: number
  /** A client that takes nothing of its answer for this long is cut, ms. */
  readonly stallMs: number
  /** An idle connection is kept for this long, ms. */
  readonly keepAliveMs: number
  /** Open connections; more are closed at once. */
  readonly maxConnections: number
  /** Requests on one connection; the last one is answered with `Connection: close`. */
  readonly maxRequestsPerSocket: number
  /** Requests that one connection may send ahead of their answers (pipelining). */
  readonly maxPipelined: number
}

const defaults: EdgeLimits = {
  maxBodyBytes: 32 << 20,
  maxCompressedBytes: 16 << 20,
  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  budgetMs: 30_000,
  stallMs: 30_000,
  keepAliveMs: 65_000,
  maxConnections: 10_000,
  maxRequestsPerSocket: 100_000,
  maxPipelined: 64,
}

/** The defaults with `given` on top. The limit of compressed bodies follows that of bodies when it is not given. */
export function limitsOf(given: Partial<EdgeLimits>): EdgeLimits {
  const maxBodyBytes = given.maxBodyBytes ?? defaults.maxBodyBytes
  return { ...defaults, maxCompressedBytes: Math.ceil(maxBodyBytes / 2), ...given }
}
